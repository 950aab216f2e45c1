// The CPU time of cells: who has used it, and who has used up its own.
import { Reference } from '../../../ts/cells/ref.ts'
import { infoOf } from '../../../ts/cells/inspect.ts'
import { PATIENT, both } from './both.ts'
import { inlineBurner, threadBurner } from './cells.ts'

both('CPU time is told of the cell that used it', async (t, { kernel }, tier) => {
  const burner = tier === 'inline' ? inlineBurner : threadBurner
  const [busy, idle] = [kernel.spawn(burner, { name: 'busy' }), kernel.spawn(burner, { name: 'idle' })]
  const told = (ref: object): number => infoOf(Reference.cellOf(ref as Reference)).cpuMs as number
  await idle.ask('rest', undefined, PATIENT)
  let passedMs = 0
  let seenMs = 0
  // How much of it falls between two looks of the watchdog is up to the machine.
  for (let turn = 0; turn < 1_000 && seenMs < 60; turn++) {
    const from = performance.now()
    await busy.ask('burn', 20, PATIENT)
    passedMs += performance.now() - from
    seenMs = Math.max(seenMs, told(busy))
  }
  t.true(seenMs >= 60, `${seenMs} ms`)
  t.true(seenMs <= passedMs + 20, `${seenMs} of ${passedMs} ms`)
  // A look may have fallen into its one turn.
  t.true(told(idle) <= 20)
  const { isolation, cpuMs } = kernel.cells().children.find(({ path }) => path === busy.path) ?? {}
  t.deepEqual([isolation, typeof cpuMs], [tier, 'number'])
})

both(
  'a cell that has used up its CPU time is ended, and begins anew with all of it',
  async (t, world, tier) => {
    const ref = world.kernel.spawn(tier === 'inline' ? inlineBurner : threadBurner)
    let turns = 0
    while ((await ref.ask('burn', 50, PATIENT)) === 1) turns++
    // At most what passes is used; and nobody burns less than a thousandth of what passes for long.
    t.true(turns >= 5, `${turns} turns`)
    const { reason } = await world.event('cell.restarted')
    t.is(reason, 'budget')
    const warned = world.events.flatMap((event) => (event.type === 'cell.warned' ? [event.quiescent] : []))
    t.deepEqual(warned.slice(0, 2), [false, true])
  },
)
