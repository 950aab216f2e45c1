// What a cell reaches from where it runs: other cells, timers, children, monitors, topics.
import test from 'ava'
import {
  Kernel,
  KaryonError,
  supervisor,
  type CellRef,
  type Message,
  type OwnedRef,
  type SupervisorRef,
} from '../../../ts/index.ts'
import { PATIENT, both, emptied, threaded } from './both.ts'
import { crew, inlineCaller, inlineCounter, inlineHalver, news, threadCounter } from './cells.ts'
import { counting } from './stopping.ts'

type Counting = { readonly total: Message<void, number> }

both(
  'a cell sends to whom it was given a reference, in its isolate and elsewhere',
  async (t, { kernel, caller }) => {
    const ref = kernel.spawn(caller)
    for (const target of [kernel.spawn(inlineCounter), kernel.spawn(threadCounter)]) {
      t.true(await ref.ask('relay', { to: target.address, name: 'add', payload: 3 }))
      t.is(await target.ask('total'), 3)
      t.deepEqual(await ref.ask('path', target.address), [target.path, true, 1])
    }
  },
)

threaded(
  'a cell is known by its messages where its module is only just being loaded',
  { count: 1, spare: false },
  async (t, { kernel, caller }) => {
    const ref = kernel.spawn(caller)
    await ref.ask('self', undefined, PATIENT)
    const counts = kernel.spawn(counting)
    await ref.ask('relay', { to: counts.address, name: 'add', payload: 3 }, PATIENT)
    t.is(await counts.ask('total', undefined, PATIENT), 3)
  },
)

both('a cell asks and waits for another one', async (t, { kernel, caller }) => {
  const ref = kernel.spawn(caller)
  for (const target of [kernel.spawn(inlineCounter, { args: 4 }), kernel.spawn(threadCounter, { args: 4 })]) {
    t.is(await ref.ask('ask', { to: target.address, name: 'total' }), 4)
    const error = await t.throwsAsync(ref.ask('ask', { to: target.address, name: 'fail', payload: 'no' }))
    const cause = (error as KaryonError).cause as KaryonError
    t.is(cause.code, 'ERR_KARYON_CELL_FAILED')
    t.true(cause.cause instanceof RangeError)
  }
})

both('nobody overtakes a delivery of the same cell that waits for room', async (t, { kernel, caller }) => {
  const ref = kernel.spawn(caller, { name: 'from' })
  for (let round = 0; round < 10; round++) {
    const target = kernel.spawn(inlineCaller, { name: `to-${round}` })
    await ref.ask('overtake', target.address)
    await emptied(target)
    const heard = (await target.ask('heard')) as unknown[]
    const place = heard.indexOf('delivered')
    t.true(place > 0)
    t.false(heard.slice(0, place).includes('after'))
  }
})

both('an ask that is called off says why', async (t, { kernel, caller }) => {
  const ref = kernel.spawn(caller)
  for (const target of [kernel.spawn(inlineCounter), kernel.spawn(threadCounter)]) {
    const asked = ref.ask('callOff', { to: target.address, name: 'slow', payload: 20, why: 'mine' })
    const { cause } = (await t.throwsAsync(asked)) as { cause: KaryonError }
    t.is(cause.code, 'ERR_KARYON_ASK_ABORTED')
    t.is((cause.cause as Error).message, 'mine')
  }
})

both(
  'an ask of a cell that waits for the asker is refused with the way round',
  async (t, { kernel, caller }) => {
    const [one, two] = [kernel.spawn(caller, { name: 'one' }), kernel.spawn(caller, { name: 'two' })]
    const round = one.ask('ask', {
      to: two.address,
      name: 'ask',
      payload: { to: one.address, name: 'ticks' },
    })
    const error = (await t.throwsAsync(round)) as KaryonError
    const codes: string[] = []
    for (let at: unknown = error; at instanceof KaryonError; at = at.cause) codes.push(at.code)
    t.is(codes.at(-1), 'ERR_KARYON_ASK_CYCLE')
  },
)

both('a delivery of a cell waits for room elsewhere', async (t, { kernel, caller }) => {
  const ref = kernel.spawn(caller)
  const target = kernel.spawn(inlineCounter)
  const slow = target.ask('slow', 30)
  while (target.send('add', 1));
  t.is(await ref.ask('deliver', { to: target.address, name: 'add', payload: 1 }), 'delivered')
  await slow
  await emptied(target)
  t.true((await target.ask('total')) >= 990)
})

both('send answers at once whether there was room', async (t, { kernel, caller }) => {
  const ref = kernel.spawn(caller)
  const target = kernel.spawn(inlineCounter)
  await target.ask('total')
  target.pause()
  const taken = (await ref.ask('flood', { to: target.address, count: 5_000 })) as number
  t.is(taken, 1_000)
  target.resume()
  await emptied(target)
  t.is(await target.ask('total'), taken)
  const { refused } = kernel.stats().cells
  t.is(refused, 5_000 - taken)
})

both('a reference of its own comes out as the same cell', async (t, { kernel, caller }) => {
  const ref = kernel.spawn(caller)
  const self = (await ref.ask('self')) as CellRef<never>
  t.is(self.path, ref.path)
  t.is(self, ref.address as never)
})

both(
  'an unknown message and a schema are told to who sends, wherever the cell is',
  async (t, { kernel, caller }) => {
    const ref = kernel.spawn(caller)
    const halver = kernel.spawn(inlineHalver)
    const error = (await ref.ask('unknown', halver.address)) as KaryonError
    t.is(error.code, 'ERR_KARYON_MESSAGE_UNKNOWN')
    t.is(await ref.ask('ask', { to: halver.address, name: 'halve', payload: 6 }), 3)
    const failed = (await t.throwsAsync(
      ref.ask('ask', { to: halver.address, name: 'halve', payload: 5 }),
    )) as KaryonError
    t.is((failed.cause as KaryonError).code, 'ERR_KARYON_ARGUMENT')
  },
)

both(
  'a cell spawns children of either tier, which go with its incarnation',
  async (t, { kernel, caller, event }) => {
    const ref = kernel.spawn(caller, { name: 'parent' })
    for (const which of ['inline', 'thread']) {
      const child = (await ref.ask('spawn', { which, options: { name: which, args: 2 } })) as CellRef<never>
      t.is(child.path, `root/parent/${which}`)
      t.is(await (child as unknown as OwnedRef<Counting>).ask('total'), 2)
    }
    const taken = (await t.throwsAsync(
      ref.ask('spawn', { which: 'inline', options: { name: 'inline' } }),
    )) as KaryonError
    t.is((taken.cause as KaryonError).code, 'ERR_KARYON_CELL_NAME')
    await event('cell.stopped', ({ path }) => path === 'root/parent/thread')
  },
)

both('a cell spawns a supervisor and manages its children', async (t, { kernel, caller }) => {
  const ref = kernel.spawn(caller, { name: 'parent' })
  const made = (await ref.ask('spawn', { which: 'crew' })) as SupervisorRef
  t.is(made.path, 'root/parent/crew')
  t.deepEqual(await ref.ask('children', made), {
    before: ['first', 'second'],
    answer: 0,
    after: ['first', 'second'],
    first: 0,
    refused: Array.from({ length: 4 }, () => 'ERR_KARYON_ARGUMENT'),
  })
})

test.serial('a child in a worker is told by a definition that was only imported there', async (t) => {
  const kernel = Kernel.memory({ workers: { count: 1, spare: false } })
  const alone = kernel.spawn(
    supervisor({ name: 'alone', children: [{ name: 'first', cell: inlineCounter }] }),
  )
  t.is(await kernel.spawn(counting).ask('first', alone, PATIENT), 0)
  await kernel.close()
})

both('a link to a supervisor takes the cell with it', async (t, { kernel, caller, event }) => {
  const ref = kernel.spawn(caller, { name: 'bound' })
  const target = kernel.spawn(crew)
  await ref.ask('link', target)
  await target.stop()
  t.is((await event('cell.restarted', ({ path }) => path === 'root/bound')).reason, 'linked')
  t.is(await ref.ask('ticks'), 0)
})

both('a monitor tells of the end, once; of an incarnation too', async (t, { kernel, caller }) => {
  const ref = kernel.spawn(caller)
  const target = kernel.spawn(inlineCounter, { name: 'target' })
  await ref.ask('watch', { ref: target.address })
  await ref.ask('watch', { ref: target.address, of: 'incarnation' })
  await t.throwsAsync(target.ask('fail', 'no'))
  await target.ask('total')
  t.deepEqual(await ref.ask('downs'), [{ path: 'root/target', incarnation: 1, reason: 'error' }])
  await target.stop()
  t.deepEqual(((await ref.ask('downs')) as unknown[])[1], {
    path: 'root/target',
    incarnation: 2,
    reason: 'stopped',
  })
})

both('whoever is gone already is told of at once, by its incarnation too', async (t, { kernel, caller }) => {
  const ref = kernel.spawn(caller)
  const target = kernel.spawn(inlineCounter, { name: 'target' })
  await target.stop()
  for (const of of ['cell', 'incarnation']) await ref.ask('watch', { ref: target.address, of })
  const down = { path: 'root/target', incarnation: 1, reason: 'stopped' }
  t.deepEqual(await ref.ask('downs'), [down, down])
})

both('a link takes the other with it', async (t, { kernel, caller, event }) => {
  const ref = kernel.spawn(caller, { name: 'bound' })
  const target = kernel.spawn(threadCounter, { name: 'target' })
  await target.ask('total')
  await ref.ask('link', target)
  await t.throwsAsync(target.ask('fail', 'no'))
  t.is((await event('cell.restarted', ({ path }) => path === 'root/bound')).reason, 'linked')
  t.is(await ref.ask('ticks'), 0)
})

both('timers fall due, again and again, and are called off', async (t, { kernel, caller }) => {
  const ref = kernel.spawn(caller)
  t.true(await ref.ask('after', 5))
  await new Promise((resolve) => setTimeout(resolve, 60))
  t.is(await ref.ask('ticks'), 1)
  await ref.ask('every', 5)
  await new Promise((resolve) => setTimeout(resolve, 80))
  t.true(((await ref.ask('ticks')) as number) >= 3)
})

both('topics reach cells wherever they run', async (t, { kernel, caller }) => {
  const [one, two] = [kernel.spawn(caller, { name: 'one' }), kernel.spawn(caller, { name: 'two' })]
  await one.ask('subscribe')
  await two.ask('subscribe')
  t.is(await one.ask('publish', 9), 2)
  t.deepEqual(await two.ask('heard', 'end'), [9, 'end'])
  t.is(news.name, 'news')
})

both('a cell stops and inspects another', async (t, { kernel, caller }) => {
  const ref = kernel.spawn(caller)
  for (const target of [kernel.spawn(inlineCounter, { args: 3 }), kernel.spawn(threadCounter, { args: 3 })]) {
    await target.ask('total')
    t.like(await ref.ask('inspect', target), { path: target.path, status: 'live', state: { total: 3 } })
    t.like(await target.inspect(), { path: target.path, status: 'live', state: { total: 3 } })
    await ref.ask('stop', target)
    t.false(target.alive)
  }
})

both('work beside a turn sends what it comes to, or fails the cell', async (t, { kernel, caller, event }) => {
  const ref = kernel.spawn(caller)
  await ref.ask('work', false)
  await new Promise((resolve) => setTimeout(resolve, 40))
  t.deepEqual(await ref.ask('worked'), [7])
  await ref.ask('work', true)
  const { reason, error } = await event('cell.restarted')
  t.is(reason, 'error')
  t.is((error as Error).message, 'work failed')
})
