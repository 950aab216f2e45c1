// What is left of cells that are ended amid what they do: nothing that is held on to, no answer that is untrue, and no worker that stands.
import test from 'ava'
import type { CellDefinition, KaryonError } from '../../../ts/index.ts'
import { Kernel } from '../../../ts/index.ts'
import { freshDirectory } from '../../kernel/directory.ts'
import { PATIENT, both, threadOf, threaded } from './both.ts'
import { collect, inlineLeaver, threadBurning, threadLate, threadLeaver, type Leaver } from './leavers.ts'

const leavers = { inline: inlineLeaver, thread: threadLeaver }
const alone = { count: 1, spare: false }

both('an incarnation that is ended in its turn is let go of', async (t, { kernel }, tier) => {
  const probe = kernel.spawn(leavers[tier])
  const before = await probe.ask('held', undefined, PATIENT)
  for (let round = 0; round < 20; round++) {
    const ref = kernel.spawn(leavers[tier])
    await ref.ask('ping', undefined, PATIENT)
    const lost = t.throwsAsync(ref.ask('hang', undefined, PATIENT), { code: 'ERR_KARYON_CELL_DEAD' })
    await ref.ask('ping', undefined, { timeoutMs: 1 }).catch(() => {})
    await ref.kill()
    await lost
  }
  collect()
  // The last one may be held by what has just run.
  t.true((await probe.ask('held', undefined, PATIENT)) <= before + 2)
})

for (const durability of ['durable', 'relaxed', 'memory'] as const) {
  test.serial(
    `an ask whose turn has committed is answered, though its worker is lost: ${durability}`,
    async (t) => {
      const kernel =
        durability === 'memory'
          ? Kernel.memory({ workers: alone })
          : await Kernel.open(freshDirectory(t), { durability, workers: alone })
      const ref = kernel.spawn(threadLeaver)
      await ref.ask('ping', undefined, PATIENT)
      const keys = Array.from({ length: 300 }, (_, at) => `key-${at}`)
      const answers = keys.map((key) => ref.ask('put', key, PATIENT).catch(({ code }: KaryonError) => code))
      const lost = t.throwsAsync(ref.ask('exit', undefined, PATIENT), { code: 'ERR_KARYON_CELL_DEAD' })
      t.deepEqual(await Promise.all(answers), keys)
      t.regex(String(((await lost) as KaryonError).cause), /the worker has exited with code 3/)
      await kernel.close()
    },
  )
}

for (const how of ['timeout', 'kill'] as const) {
  threaded(
    `a turn that blocks after it has awaited costs its worker, once it is ended: ${how}`,
    alone,
    async (t, { kernel, event }) => {
      const [ref, neighbour] = [
        kernel.spawn(how === 'timeout' ? threadLate : threadLeaver),
        kernel.spawn(threadLeaver),
      ]
      for (const each of [ref, neighbour]) await each.ask('ping', undefined, PATIENT)
      const thread = threadOf(neighbour)
      const lost = t.throwsAsync(ref.ask('block', 60_000, PATIENT))
      await new Promise((resolve) => setTimeout(resolve, 50))
      if (how === 'kill') await ref.kill()
      t.is(await neighbour.ask('ping', undefined, PATIENT), 1)
      t.not(threadOf(neighbour), thread)
      t.is((await event('cell.restarted', ({ path }) => path === neighbour.path)).reason, 'collateral')
      await lost
    },
  )
}

for (const [what, definition, message, code, cause] of [
  ['an endless loop', threadBurning, 'loop', 'ERR_KARYON_CELL_DEAD', 'ERR_KARYON_TURN_CPU'],
  ['a turn past its limit', threadLate, 'loop', 'ERR_KARYON_TURN_TIMEOUT', 'ERR_KARYON_TURN_TIMEOUT'],
] as [string, CellDefinition<Leaver>, 'loop', string, string][]) {
  threaded(`who asked is told why: ${what}`, alone, async (t, { kernel }) => {
    const ref = kernel.spawn(definition)
    await ref.ask('ping', undefined, PATIENT)
    const error = (await t.throwsAsync(ref.ask(message, undefined, PATIENT))) as KaryonError
    t.deepEqual([error.code, (error.cause as KaryonError).code], [code, cause])
  })
}
