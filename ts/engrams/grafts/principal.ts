// Acting in the name of a principal: a cell that lives as long as the work takes, so that the log says who did it.
import { cell, message } from '../../cells/index.ts'
import type { Graph } from '../../graph/types.ts'
import type { Kernel } from '../../kernel.ts'
import { graftError, isFailure } from './refusals.ts'

/** Runs something in one turn of the cell, with the cell's graph, which lasts as long as the cell. */
export type Turn = <T>(act: (graph: Graph) => Promise<T> | T) => Promise<T>

/** What is done in one name is done one after the other. */
const busy = new WeakMap<Kernel, Map<string, Promise<void>>>()

/** Has work done by a cell of this name, below the root, that may read and write everything. Other work in the same name waits for it. */
export function inTheNameOf<T>(kernel: Kernel, name: string, work: (turn: Turn) => Promise<T>): Promise<T> {
  return oneAfterTheOther(kernel, name, () => actInTheNameOf(kernel, name, work))
}

/** The name of the cell that a principal is. */
export function cellOf(principal: string): string {
  return principal.slice(principal.indexOf('/') + 1)
}

/** Has work done when all is done that was begun for the same name before. */
export async function oneAfterTheOther<T>(kernel: Kernel, name: string, work: () => Promise<T>): Promise<T> {
  const queues = busy.get(kernel) ?? new Map<string, Promise<void>>()
  busy.set(kernel, queues)
  const done = (queues.get(name) ?? Promise.resolve()).then(work)
  const over = done.then(nothing, nothing)
  queues.set(name, over)
  try {
    return await done
  } finally {
    if (queues.get(name) === over) queues.delete(name)
  }
}

function nothing(): void {}

/** The same, for who has waited already: in `oneAfterTheOther`, for that name. */
export async function actInTheNameOf<T>(
  kernel: Kernel,
  name: string,
  work: (turn: Turn) => Promise<T>,
): Promise<T> {
  const idle = async (): Promise<void> => {}
  let next: (graph: Graph) => Promise<void> = idle
  // Portions of work are turns of their own, so that other cells have theirs in between; how long one takes is no fault of it.
  const definition = cell({
    name,
    grants: { read: '*', write: '*' },
    restart: 'temporary',
    limits: { turnCpuMs: 0 },
    messages: { act: message<void, void>() },
    on: {
      act: (ctx): Promise<void> => {
        // Once: whoever finds the cell may send it what he likes.
        const now = next
        next = idle
        return now(ctx.graph)
      },
    },
  })
  const worker = spawned(() => kernel.spawn(definition, { name }), name)
  const turn: Turn = async (task) => {
    const outcome: { value?: Awaited<ReturnType<typeof task>>; error?: unknown } = {}
    // What fails is the work's, and no failure of the cell.
    next = async (graph) => {
      try {
        outcome.value = await task(graph)
      } catch (error) {
        outcome.error = error
      }
    }
    await worker.ask('act', undefined, { timeoutMs: Infinity })
    if ('error' in outcome) throw outcome.error
    return outcome.value!
  }
  try {
    return await work(turn)
  } finally {
    await worker.stop()
  }
}

function spawned<T>(spawn: () => T, name: string): T {
  try {
    return spawn()
  } catch (error) {
    if (!isFailure(error, 'ERR_KARYON_CELL_NAME')) throw error
    const message = `root/${name} is the principal of a graft, and a cell of that name is alive; stop it first`
    throw graftError(message, { principal: `root/${name}` }, error)
  }
}
