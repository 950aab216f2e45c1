// A cell does what its grants say, and no more.
import { KaryonError, type Kernel, type KernelEvent } from '../../index.ts'
import { visitor } from '../cells/visitor.ts'
import { check, type Check } from './check.ts'

/** Lets a cell that may only read try to write. Closes the kernel: only then is it certain that no event is still to come. */
export async function visitorIsRefused(kernel: Kernel, commit: string): Promise<Check> {
  const problems: string[] = []
  const refusal = firstRefusal(kernel.events())
  const cell = kernel.spawn(visitor())
  const subject = await cell.ask('look', commit)
  const before = kernel.graph.digest()
  const error: unknown = await cell.ask('tamper', commit).then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!isAccessError(error)) problems.push(`the write answered ${String(error)}, not ERR_KARYON_ACCESS`)
  if ((await cell.ask('look', commit)) !== subject || kernel.graph.digest() !== before)
    problems.push('the refused write left something behind')
  await kernel.close()
  const event = await refusal
  if (event?.principal !== 'root/visitor') problems.push('the event stream has no refusal of root/visitor')
  return check(
    'access/refused',
    'a cell that may only read tried to write: ERR_KARYON_ACCESS, and access.refused in the event stream',
    problems,
  )
}

async function firstRefusal(
  events: AsyncIterable<KernelEvent>,
): Promise<Extract<KernelEvent, { type: 'access.refused' }> | undefined> {
  for await (const event of events) if (event.type === 'access.refused') return event
  return undefined
}

/** The failure of a cell carries the refusal as its cause. */
function isAccessError(error: unknown): boolean {
  for (let link = error; link instanceof Error; link = link.cause)
    if (link instanceof KaryonError && link.code === 'ERR_KARYON_ACCESS') return true
  return false
}
