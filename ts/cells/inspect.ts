// What can be seen of cells from outside.
import type { DeathReason } from '../events.ts'
import type { Cell } from './cell.ts'
import type { Isolation } from './definition.ts'
import { CLOSED } from './protocol.ts'
import type { CellRuntime } from './runtime.ts'
import { placeOf } from './scheduler.ts'
import { Stage, Standing } from './stage.ts'

/**
 * Where a cell stands. What has begun is `live`, unless it is `paused`, or `quiescent` (it begins no turn any more). A first incarnation that has not
 * is `starting`; a later one is `restarting`, from the end of the one before it until its `init` is over, however long a backoff has it wait.
 */
export type CellStatus = 'starting' | 'live' | 'paused' | 'quiescent' | 'restarting' | 'stopping' | 'gone'

/** A cell or supervisor, as it is now. */
export interface CellInfo {
  readonly path: string
  readonly kind: 'cell' | 'supervisor'
  readonly status: CellStatus
  readonly incarnation: number
  /** Restarts so far, those after conflicts among them. */
  readonly restarts: number
  /** Why its last incarnation ended, if one has. */
  readonly lastReason?: DeathReason
  /** Messages that wait, and how many may; of cells. */
  readonly mailbox?: { readonly waiting: number; readonly limit: number }
  /** Where its turns run; of cells. */
  readonly isolation?: Isolation
  /**
   * The CPU time that turns of this incarnation have used, in milliseconds, each until it first awaited or returned: by samples that the watchdog
   * takes a hundred times a second, so that it is true of long times and rough of short ones. Of cells.
   */
  readonly cpuMs?: number
}

/** A cell with all below it. */
export interface CellTree extends CellInfo {
  /** In no particular order. */
  readonly children: readonly CellTree[]
}

/** What is known of a cell. */
export function infoOf(cell: Cell): CellInfo {
  const { path, definition, incarnation, rare, id, runtime } = cell
  const limit = definition?.limits.mailbox ?? 0
  const room = runtime.scheduler.memory.credits[placeOf(id)] as number
  const waiting = room === CLOSED || cell.gone !== undefined ? 0 : limit - room
  const lastReason = rare?.lastReason
  return {
    path,
    kind: definition === undefined ? 'supervisor' : 'cell',
    status: statusOf(cell),
    incarnation: incarnation.number,
    restarts: incarnation.number - 1,
    ...(lastReason !== undefined && { lastReason }),
    ...(definition !== undefined && {
      mailbox: { waiting, limit },
      isolation: definition.isolation,
      cpuMs: runtime.pump.cpuMsOf(incarnation),
    }),
  }
}

function statusOf({ gone, live, incarnation, definition, paused }: Cell): CellStatus {
  if (gone !== undefined) return 'gone'
  if (!live) return 'stopping'
  if (definition === undefined) return 'live'
  if (!incarnation.alive) return 'restarting'
  if (incarnation.stage === Stage.starting) return incarnation.number > 1 ? 'restarting' : 'starting'
  if (paused) return 'paused'
  return incarnation.standing === Standing.barred ? 'quiescent' : 'live'
}

/** All cells of a runtime, from its root on. Cost: a pass over them. */
export function treeOf(runtime: CellRuntime): CellTree {
  const below = new Map<Cell | undefined, Cell[]>()
  for (const cell of runtime.cells) {
    if (cell === undefined) continue
    const siblings = below.get(cell.parent)
    if (siblings === undefined) below.set(cell.parent, [cell])
    else siblings.push(cell)
  }
  const tree = (cell: Cell): CellTree => ({ ...infoOf(cell), children: (below.get(cell) ?? []).map(tree) })
  return tree(runtime.root)
}
