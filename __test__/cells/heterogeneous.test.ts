// Thousands of cells of a thousand kinds in one kernel: each understands, may and remembers something else.
import test from 'ava'
import {
  Kernel,
  cell,
  message,
  type CellDefinition,
  type KaryonError,
  type OwnedRef,
} from '../../ts/index.ts'
import type { UntypedMessages } from '../../ts/cells/definition.ts'

const KINDS = 1_000
const CELLS_OF_A_KIND = 10

/** A kind of its own: its name, its messages, the shape of its state, what it may write. */
function kindOf(kind: number): CellDefinition<UntypedMessages, number> {
  const [learn, tell, trespass] = [`learn-${kind}`, `tell-${kind}`, `trespass-${kind}`]
  const field = `known${kind}`
  return cell<UntypedMessages, Record<string, number>, number>({
    name: `kind-${kind}`,
    grants: { read: [`Fact${kind}`], write: [`Fact${kind}`] },
    messages: { [learn]: message(), [tell]: message(), [trespass]: message() } as UntypedMessages,
    init: (_ctx, first) => ({ [field]: first }),
    on: {
      [learn]: (ctx, value) => {
        ctx.state[field] = ctx.state[field]! + value
        ctx.tx.put(ctx.self.path, {
          labels: [`Fact${kind}`],
          props: { value: ctx.state[field]! },
        })
      },
      [tell]: (ctx) => [ctx.state[field], Object.keys(ctx.state)],
      [trespass]: (ctx) => {
        ctx.tx.put('trespassed', { labels: [`Fact${(kind + 1) % KINDS}`], props: {} })
      },
    },
    restart: kind % 2 === 0 ? 'transient' : 'permanent',
    limits: { mailbox: 1 + (kind % 100) },
  })
}

test('ten thousand cells of a thousand kinds keep to what each of them is', async (t) => {
  const kernel = Kernel.memory()
  const kinds = Array.from({ length: KINDS }, (_, kind) => kindOf(kind))
  const cells: OwnedRef<UntypedMessages>[] = []
  for (let at = 0; at < KINDS * CELLS_OF_A_KIND; at++)
    cells.push(kernel.spawn(kinds[at % KINDS]!, { name: `cell-${at}`, args: at }))
  await Promise.all(cells.map((ref, at) => ref.ask(`learn-${at % KINDS}`, 1)))
  const told = await Promise.all(cells.map((ref, at) => ref.ask(`tell-${at % KINDS}`)))
  t.true(
    told.every((answer, at) => JSON.stringify(answer) === JSON.stringify([at + 1, [`known${at % KINDS}`]])),
  )
  for (const at of [0, 1, KINDS - 1, KINDS, 5_432, cells.length - 1]) {
    const [ref, kind] = [cells[at]!, at % KINDS]
    t.throws(() => ref.send(`tell-${(kind + 1) % KINDS}`), { code: 'ERR_KARYON_MESSAGE_UNKNOWN' })
    const refused = (await t.throwsAsync(ref.ask(`trespass-${kind}`))) as KaryonError
    t.is((refused.cause as KaryonError).code, 'ERR_KARYON_ACCESS')
    // The next incarnation begins with its arguments.
    t.deepEqual(await ref.ask(`tell-${kind}`), [at, [`known${kind}`]])
    t.is(kernel.graph.get(ref.path)?.props['value'], at + 1)
  }
  t.is(kernel.graph.get('trespassed'), undefined)
  t.is(kernel.graph.count({ label: 'Fact7' }), CELLS_OF_A_KIND)
  const { cells: alive, restarts, refused } = kernel.stats().cells
  t.deepEqual([alive >= cells.length, restarts, refused], [true, 6, 0])
  await kernel.close()
})
