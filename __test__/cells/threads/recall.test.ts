// What was handed over is taken back again and again: nothing is lost, and nobody sleeps for it.
import { setImmediate as turnOfLoop } from 'node:timers/promises'
import { PATIENT, both } from './both.ts'
import { inlineTeller, threadTeller } from './cells.ts'

both(
  'messages that wait are overtaken by those of control, and none is lost',
  async (t, { kernel }, tier) => {
    const [ref, neighbour] = ['one', 'other'].map((name) =>
      kernel.spawn(tier === 'inline' ? inlineTeller : threadTeller, { name }),
    )
    for (let round = 1; round <= 400; round++) {
      for (let at = 0; at < 20; at++) ref!.send('count')
      ref!.send('urgent')
      await turnOfLoop()
      if (round % 50 === 0) t.is(await neighbour!.ask('total', undefined, PATIENT), 0)
    }
    t.is(await ref!.ask('total', undefined, PATIENT), 400 * 21)
  },
)

both('a cell that is paused and resumed again and again loses nothing', async (t, { kernel }, tier) => {
  const ref = kernel.spawn(tier === 'inline' ? inlineTeller : threadTeller)
  for (let round = 1; round <= 400; round++) {
    for (let at = 0; at < 20; at++) ref.send('count')
    ref.pause()
    if (round % 3 === 0) await turnOfLoop()
    ref.resume()
    if (round % 2 === 0) await turnOfLoop()
  }
  t.is(await ref.ask('total', undefined, PATIENT), 400 * 20)
})

both('a cell that is killed with messages waiting leaves its neighbours be', async (t, { kernel }, tier) => {
  const definition = tier === 'inline' ? inlineTeller : threadTeller
  const neighbour = kernel.spawn(definition, { name: 'neighbour' })
  await neighbour.ask('total', undefined, PATIENT)
  for (let round = 1; round <= 100; round++) {
    const ref = kernel.spawn(definition, { name: 'killed' })
    for (let at = 0; at < 100; at++) ref.send('count')
    if (round % 2 === 0) await turnOfLoop()
    await ref.kill()
    if (round % 10 === 0) t.is(await neighbour.ask('total', undefined, PATIENT), 0)
  }
})
