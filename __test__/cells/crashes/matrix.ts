// What happens to a cell that fails in every way, and what survives: the rows that say the same in both columns.
import test, { type ExecutionContext } from 'ava'
import { Kernel, supervisor, type KaryonError, type KernelEvent, type OwnedRef } from '../../../ts/index.ts'
import { PATIENT } from '../threads/both.ts'
import * as cells from './cells.ts'
import { restarts } from './restarts.ts'

export type Victim = OwnedRef<cells.VictimMessages>
export type Neighbour = OwnedRef<(typeof cells.inlineNeighbour)['messages']>

/** The cells of a test, and what was told of them. */
export interface Scene {
  readonly kernel: Kernel
  readonly victim: Victim
  /** Where the victim is. */
  readonly neighbour: Neighbour
  readonly events: KernelEvent[]
}

const TIERS = {
  inline: {
    victim: cells.inlineVictim,
    waiting: cells.inlineWaiting,
    bound: cells.inlineBound,
    neighbour: cells.inlineNeighbour,
  },
  thread: {
    victim: cells.threadVictim,
    waiting: cells.threadWaiting,
    bound: cells.threadBound,
    neighbour: cells.threadNeighbour,
  },
} as const

/** What an ask fails with. */
export async function fails(ask: Promise<unknown>): Promise<KaryonError> {
  return ask.then(
    () => undefined as never,
    (error) => error,
  )
}

/** Waits for the next event that fits, from the call on. */
export async function until(kernel: Kernel, fits: (event: KernelEvent) => boolean): Promise<void> {
  for await (const event of kernel.events({ buffer: 100_000 })) if (fits(event)) return
}

/** Waits until a cell has raised the flag. */
export async function raised(flag: SharedArrayBuffer): Promise<void> {
  const word = new Int32Array(flag)
  while (Atomics.load(word, 0) === 0) await new Promise((resolve) => setTimeout(resolve, 1))
}

/**
 * After whatever has happened: the victim works again, nothing that it did not commit is there, nothing is open, and every message has one
 * outcome. Cells elsewhere have not noticed.
 */
export async function survives(
  t: ExecutionContext,
  tier: cells.Tier,
  act: (scene: Scene) => Promise<void>,
): Promise<void> {
  const kernel = Kernel.memory({ workers: { count: 1, spare: false } })
  const events: KernelEvent[] = []
  void (async () => {
    for await (const event of kernel.events({ buffer: 100_000 })) events.push(event)
  })()
  const victim = kernel.spawn(TIERS[tier].victim)
  const neighbour = kernel.spawn(TIERS[tier].neighbour)
  const elsewhere = kernel.spawn(cells.inlineNeighbour, { name: 'elsewhere' })
  await victim.ask('write', 'before', PATIENT)
  await neighbour.ask('count', undefined, PATIENT)
  await elsewhere.ask('count')
  await act({ kernel, victim, neighbour, events })
  await victim.ask('write', 'after', PATIENT)
  t.is(await elsewhere.ask('count'), 2)
  t.is(await neighbour.ask('store', undefined, PATIENT), 'undefined undefined')
  t.truthy(kernel.graph.get('before'))
  t.truthy(kernel.graph.get('after'))
  t.is(kernel.graph.get('lost'), undefined)
  const { sent, ended, failed, refused, deadLetters, conflicts, asks } = kernel.stats().cells
  t.is(sent, ended + failed + refused + deadLetters + conflicts, 'every message has its outcome')
  t.is(asks, 0)
  await kernel.close()
}

/** As `survives`; and the neighbour keeps its state too. */
function contained(
  tier: cells.Tier,
  title: string,
  act: (t: ExecutionContext, scene: Scene) => Promise<void>,
): void {
  test.serial(`${tier}: ${title}`, (t) =>
    survives(t, tier, async (scene) => {
      await act(t, scene)
      t.is(await scene.neighbour.ask('count', undefined, PATIENT), 2)
    }),
  )
}

/** Tests of all rows that say the same wherever the cell runs. */
export function sameInBothTiers(tier: cells.Tier): void {
  for (const what of Object.keys(cells.FAILURES)) {
    contained(
      tier,
      `${what}: the asker is told, the cell starts anew, its neighbours keep their state`,
      async (t, { victim, events }) => {
        const error = await fails(victim.ask('commit', { what }))
        t.is(error.code, 'ERR_KARYON_CELL_FAILED')
        t.true(error.cause instanceof (what === 'a stack overflow' ? RangeError : Error))
        t.is(await victim.ask('incarnation'), 2)
        t.deepEqual(restarts(events), { [victim.path]: ['error'] })
      },
    )
  }

  contained(
    tier,
    'a promise that never settles: its time limit ends the turn, the cell starts anew, its neighbours keep their state',
    async (t, { kernel, events }) => {
      const waiting = kernel.spawn(TIERS[tier].waiting)
      t.is((await fails(waiting.ask('wait'))).code, 'ERR_KARYON_TURN_TIMEOUT')
      t.is(await waiting.ask('incarnation'), 2)
      t.deepEqual(restarts(events), { [waiting.path]: ['timeout'] })
    },
  )

  contained(
    tier,
    'a broken invariant: nothing of the turn is committed, the cell starts anew, its neighbours keep their state',
    async (t, { kernel, events }) => {
      const bound = kernel.spawn(TIERS[tier].bound)
      t.is((await fails(bound.ask('breaks', undefined, PATIENT))).code, 'ERR_KARYON_INVARIANT')
      t.is(await bound.ask('incarnation'), 2)
      t.deepEqual(restarts(events), { [bound.path]: ['invariant'] })
    },
  )

  contained(
    tier,
    'a lease that is not renewed ends the turn, the cell starts anew, its neighbours keep their state',
    async (t, { kernel, events }) => {
      const bound = kernel.spawn(TIERS[tier].bound)
      t.is((await fails(bound.ask('idles', undefined, PATIENT))).code, 'ERR_KARYON_CELL_DEAD')
      t.is(await bound.ask('incarnation'), 2)
      t.deepEqual(restarts(events), { [bound.path]: ['lease'] })
    },
  )

  contained(
    tier,
    'a recursion of spawns ends at the depth of a path, and takes nobody with it',
    async (t, { victim, kernel, events }) => {
      const stopped = until(kernel, (event) => event.type === 'cell.stopped' && event.error !== undefined)
      victim.send('spawns')
      await stopped
      const tooDeep = events.find((event) => event.type === 'cell.stopped' && event.error !== undefined)
      t.like(tooDeep, { error: { code: 'ERR_KARYON_ARGUMENT' } })
      await victim.ask('incarnation')
    },
  )

  contained(
    tier,
    'a message to a dead cell is a dead letter, its asker is told, and the living do not notice',
    async (t, { victim, kernel }) => {
      const gone = kernel.spawn(TIERS[tier].victim, { name: 'gone' })
      await gone.ask('incarnation')
      await gone.kill()
      t.false(gone.send('write', 'lost'))
      t.is((await fails(gone.ask('incarnation'))).code, 'ERR_KARYON_CELL_DEAD')
      t.is((await fails(gone.deliver('write', 'lost'))).code, 'ERR_KARYON_CELL_DEAD')
      t.is(kernel.stats().cells.deadLetters, 3)
      t.true(victim.alive)
    },
  )

  contained(
    tier,
    'a million messages to one mailbox: its limit is kept, the rest is refused and counted, and all that were taken are handled',
    async (t, { victim, kernel }) => {
      let taken = 0
      victim.pause()
      for (let n = 0; n < 1_000_000; n++) if (victim.send('incarnation')) taken++
      t.is(taken, 1_000)
      t.is(kernel.stats().cells.refused, 999_000)
      victim.resume()
      await victim.deliver('incarnation')
    },
  )

  contained(
    tier,
    'a supervisor that is killed takes its own with it and nobody else',
    async (t, { kernel }) => {
      const { victim, neighbour } = TIERS[tier]
      const crew = kernel.spawn(supervisor({ name: 'crew', children: [victim, neighbour] }))
      const [child, other] = [crew.child('victim'), crew.child(neighbour.name)]
      const flag = new SharedArrayBuffer(4)
      await child.deliver('wait', flag)
      await raised(flag)
      await crew.kill()
      t.deepEqual([child.alive, other.alive, kernel.find('root/crew')], [false, false, undefined])
    },
  )

  contained(
    tier,
    'a cell that is killed while its turn waits, inside of async scopes and between microtasks: nothing of it is committed, its neighbours keep their stores',
    async (t, { kernel }) => {
      const gone = kernel.spawn(TIERS[tier].victim, { name: 'gone' })
      const flag = new SharedArrayBuffer(4)
      const asked = fails(gone.ask('wait', flag))
      await raised(flag)
      await gone.kill()
      t.is((await asked).code, 'ERR_KARYON_CELL_DEAD')
    },
  )

  contained(
    tier,
    'a cell that is killed from within a microtask, with its messages waiting: they are dead letters, nobody else loses any',
    async (t, { kernel, neighbour }) => {
      const gone = kernel.spawn(TIERS[tier].victim, { name: 'gone' })
      await gone.ask('incarnation')
      const flag = new SharedArrayBuffer(4)
      const asked = fails(gone.ask('wait', flag))
      const waiting = fails(gone.ask('incarnation'))
      await raised(flag)
      await new Promise<void>((resolve) => queueMicrotask(() => void gone.kill().then(resolve)))
      t.is((await asked).code, 'ERR_KARYON_CELL_DEAD')
      t.is((await waiting).code, 'ERR_KARYON_CELL_DEAD')
      t.true(neighbour.alive)
    },
  )

  contained(
    tier,
    'a cell that kills another, and itself, from within native code: only those are gone',
    async (t, { kernel, victim }) => {
      const [gone, killer] = ['gone', 'killer'].map((name) => kernel.spawn(TIERS[tier].victim, { name }))
      await gone!.ask('incarnation')
      const over = ['root/gone', 'root/killer'].map((path) =>
        until(kernel, (event) => event.type === 'cell.stopped' && event.path === path),
      )
      await killer!.deliver('kills', gone as never)
      await killer!.deliver('kills', killer as never)
      await Promise.all(over)
      t.deepEqual([gone!.alive, killer!.alive, kernel.find('root/killer')], [false, false, undefined])
      t.is(await victim.ask('incarnation'), 1)
    },
  )
}
