// Errors keep what they know, wherever they were thrown.
import { KaryonError, supervisor, type OwnedRef } from '../../../ts/index.ts'
import { ERRORS_MAX } from '../../../ts/threads/errors.ts'
import { PATIENT, both, threaded } from './both.ts'
import { hiddenOne } from './cells.ts'
import { inlineThrower, threadThrower, type Thrower } from './throwers.ts'

type Anything = Error & Readonly<Record<string, unknown>>

const throwerOf = (tier: 'inline' | 'thread'): typeof inlineThrower =>
  tier === 'inline' ? inlineThrower : threadThrower

/** What a cell that is told to throw fails with, as its asker is told. */
async function causeOf(
  ref: OwnedRef<Thrower>,
  name: string,
  how: 'throws' | 'rejects' = 'throws',
): Promise<Anything> {
  const refused: unknown = await ref.ask(how, name, PATIENT).catch((error: unknown) => error)
  return (refused as KaryonError).cause as Anything
}

function causesOf(error: unknown): unknown[] {
  const causes: unknown[] = []
  for (let at = error; at instanceof Error && !causes.includes(at); at = at.cause) causes.push(at)
  return causes
}

both('a system error keeps its code, its number and its call', async (t, { kernel }, tier) => {
  const error = await causeOf(kernel.spawn(throwerOf(tier)), 'file')
  t.like(error, { name: 'Error', code: 'ENOENT', syscall: 'open', path: '/no/such/file' })
  t.is(typeof error['errno'], 'number')
  t.true(error instanceof Error)
  t.regex(error.message, /^ENOENT/)
})

both(
  'an error of a class of the program keeps its name, its fields and its cause',
  async (t, { kernel }, tier) => {
    const ref = kernel.spawn(throwerOf(tier))
    for (const how of ['throws', 'rejects'] as const) {
      const error = await causeOf(ref, 'own', how)
      t.true(error instanceof RangeError)
      t.like(error, { name: 'Declined', message: 'declined: 7', amount: 7, code: 'E_DECLINED' })
      t.regex(error.stack ?? '', /throwers\.[jt]s/)
      t.true(error.cause instanceof SyntaxError)
      t.is((error.cause as Error).message, 'why')
    }
  },
)

both('an aggregate keeps the errors that it stands for', async (t, { kernel }, tier) => {
  const error = (await causeOf(kernel.spawn(throwerOf(tier)), 'aggregate')) as unknown as AggregateError
  t.true(error instanceof AggregateError)
  const [one, two, three] = error.errors as [TypeError, Anything, string]
  t.true(one instanceof TypeError)
  t.like(two, { name: 'Declined', amount: 2 })
  t.is(three, 'three')
  t.false(Object.keys(error).includes('errors'))
})

both('what a signal was aborted with is one of the platform', async (t, { kernel }, tier) => {
  const ref = kernel.spawn(throwerOf(tier))
  for (const [what, name, code] of [
    ['aborted', 'AbortError', 20],
    ['timedOut', 'TimeoutError', 23],
  ] as const) {
    const error = await causeOf(ref, what)
    t.true(error instanceof DOMException)
    t.is(error.name, name)
    t.is(error['code'], code)
  }
})

both('an error of Karyon stays one, with its facts and its cause', async (t, { kernel }, tier) => {
  const error = await causeOf(kernel.spawn(throwerOf(tier)), 'ours')
  t.true(error instanceof KaryonError)
  t.like(error, { name: 'KaryonError', code: 'ERR_KARYON_BUSY', details: { limit: 3 } })
  t.like(error.cause, { message: 'below', code: 'E_BELOW' })
})

both('errors in what is answered keep as much', async (t, { kernel }, tier) => {
  const answer = (await kernel.spawn(throwerOf(tier)).ask('answers', 'list', PATIENT)) as {
    errors: Anything[]
  }
  t.deepEqual(
    answer.errors.map(({ name, amount }) => [name, amount]),
    [
      ['Declined', 1],
      ['Declined', 2],
      ['AbortError', undefined],
    ],
  )
})

both('errors that hold themselves arrive so', async (t, { kernel }, tier) => {
  const error = await causeOf(kernel.spawn(throwerOf(tier)), 'circular')
  t.is((error.cause as Error).cause, error)
  t.is(error['self'], error)
  t.deepEqual(error['list'], [error])
})

both('what init, run and later work threw is told whole', async (t, { kernel, event }, tier) => {
  const definition = throwerOf(tier)
  const failing = kernel.spawn(definition, { name: 'failing', args: { init: 'file' } })
  const { error } = await event('cell.gave-up', ({ path }) => path === failing.path)
  t.like(error, { code: 'ENOENT', syscall: 'open' })
  const works = kernel.spawn(definition, { name: 'works' })
  works.send('works', 'own')
  const restarted = await event('cell.restarted', ({ path }) => path === works.path)
  t.like(restarted.error, { name: 'Declined', amount: 7 })
})

both('who waits for a cell that does not come up is told why', async (t, { kernel, event }, tier) => {
  const ref = kernel.spawn(throwerOf(tier), { args: { init: 'own' } })
  const refused = async (asked: Promise<unknown>): Promise<void> => {
    const error = (await asked.catch((error: unknown) => error)) as KaryonError
    t.is(error.code, 'ERR_KARYON_CELL_DEAD')
    t.like(error.cause, { name: 'Declined', amount: 7, code: 'E_DECLINED' })
  }
  await refused(ref.ask('answers', 'list', PATIENT))
  await event('cell.gave-up')
  await refused(ref.ask('answers', 'list', PATIENT))
  await refused(ref.deliver('works', 'own'))
})

both(
  'those who wait for one cell have an error each, and all of them its trace',
  async (t, { kernel }, tier) => {
    const definition = throwerOf(tier)
    const limit = Error.stackTraceLimit
    const [one, other] = [
      kernel.spawn(definition, { name: 'one', args: { init: 'own' } }),
      kernel.spawn(definition, { name: 'other', args: { init: 'own' } }),
    ]
    const ask = (ref: typeof one): Promise<KaryonError> =>
      ref.ask('answers', 'list', PATIENT).then(
        () => Promise.reject(new Error('answered')),
        (error: KaryonError) => error,
      )
    const errors = await Promise.all([one, one, other, one, other, other].map(ask))
    t.is(new Set(errors).size, 6)
    for (const [at, error] of errors.entries()) {
      const path = [2, 4, 5].includes(at) ? 'root/other' : 'root/one'
      t.like(error, { code: 'ERR_KARYON_CELL_DEAD', details: { path, message: 'answers' } })
      const [said, ...frames] = (error.stack ?? '').split('\n')
      t.is(said, `KaryonError: ${error.message}`)
      t.regex(said ?? '', new RegExp(path))
      t.regex(frames.join(), /applyEffects/)
    }
    t.is(Error.stackTraceLimit, limit)
  },
)

both('a cell that is stopped has no cause to tell', async (t, { kernel }, tier) => {
  const ref = kernel.spawn(throwerOf(tier))
  await causeOf(ref, 'own')
  await ref.ask('answers', 'list', PATIENT)
  await ref.stop()
  const error = (await ref.ask('answers', 'list').catch((error: unknown) => error)) as KaryonError
  t.deepEqual([error.code, error.cause], ['ERR_KARYON_CELL_DEAD', undefined])
})

threaded(
  'who waits for a cell that no module exports is told so',
  { count: 1, spare: false },
  async (t, { kernel }) => {
    const ref = kernel.spawn(hiddenOne['cell'] as typeof threadThrower)
    const error = (await ref
      .ask('ping' as never, undefined as never, PATIENT)
      .catch((error: unknown) => error)) as KaryonError
    t.is(error.code, 'ERR_KARYON_CELL_DEAD', error.message)
    t.like(error.cause, { code: 'ERR_KARYON_ARGUMENT' })
    t.regex((error.cause as Error).message, /hidden/)
  },
)

both(
  'a supervisor that gives up names the child that was one too many, and what it failed with',
  async (t, { kernel, event }, tier) => {
    const inner = supervisor({
      name: 'inner',
      restart: { intensity: 0, periodMs: 1_000 },
      children: [
        { name: 'a', cell: throwerOf(tier) },
        { name: 'b', cell: throwerOf(tier) },
      ],
    })
    const outer = kernel.spawn(
      supervisor({ name: 'outer', restart: { intensity: 0, periodMs: 1_000 }, children: [inner] }),
    )
    const b = outer.supervisor('inner').child('b', throwerOf(tier))
    const [gone, above] = [
      event('supervisor.gave-up', ({ path }) => path === 'root/outer/inner'),
      event('supervisor.gave-up', ({ path }) => path === 'root/outer'),
    ]
    const failed = t.throwsAsync(kernel.closed)
    await causeOf(b, 'own')
    const [first, second] = await Promise.all([gone, above])
    t.is(first.child, 'root/outer/inner/b')
    const error = first.error as KaryonError
    t.like(error, { code: 'ERR_KARYON_RESTART_INTENSITY', details: { child: 'root/outer/inner/b' } })
    t.regex(error.message, /root\/outer\/inner gave up.*root\/outer\/inner\/b/)
    t.like(error.cause, { name: 'Declined', amount: 7 })
    t.is(second.child, 'root/outer/inner')
    t.is((second.error as KaryonError).cause, error)
    t.is(await failed, second.error as KaryonError)
  },
)

threaded(
  'what nobody caught in a worker is told whole',
  { count: 1, spare: false },
  async (t, { kernel, event }) => {
    kernel.spawn(threadThrower).send('leaves', 'ours')
    const { error } = await event('worker.lost')
    t.true(error.cause instanceof KaryonError)
    t.like(error.cause, { code: 'ERR_KARYON_BUSY', details: { limit: 3 } })
    t.like((error.cause as Error).cause, { message: 'below', code: 'E_BELOW' })
  },
)

threaded(
  'what cannot be sent, or looked at, is left out of an error, and the rest arrives',
  { count: 1, spare: false },
  async (t, { kernel, events }) => {
    // One each: none is restarted too often.
    const thrown = (name: string): Promise<Anything> => causeOf(kernel.spawn(threadThrower), name)
    const fields = await thrown('fields')
    t.deepEqual(fields['when'], new Date(7))
    t.deepEqual(fields['map'], new Map([['a', [1]]]))
    t.false('call' in fields)
    for (const [name, without] of [
      ['instance', 'socket'],
      ['getter', 'broken'],
      ['hidden', 'proxy'],
    ] as const) {
      const error = await thrown(name)
      t.is(error.message, name)
      t.is(error['kept'], 1)
      t.false(without in error)
    }
    t.true((await thrown('rude')) instanceof TypeError)
    const proxied = await thrown('proxy')
    t.true(proxied instanceof Error)
    t.true((await thrown('realm')) instanceof RangeError)
    const old = await thrown('old')
    t.true(old instanceof Error)
    t.like(old, { message: 'old', code: 'E_OLD' })
    t.false(events.some(({ type }) => type === 'worker.lost'))
  },
)

threaded(
  'an error brings along so many others, and no more',
  { count: 1, spare: false },
  async (t, { kernel, events }) => {
    const ref = kernel.spawn(threadThrower)
    const deep = causesOf(await causeOf(ref, 'deep')) as Error[]
    t.is(deep.length, 1 + ERRORS_MAX)
    t.is(deep.at(-1)?.message, `cause ${4_999 - ERRORS_MAX}`)
    const wide = (await causeOf(ref, 'wide')) as unknown as AggregateError
    t.is(wide.errors.length, ERRORS_MAX)
    t.is(wide.message, 'wide')
    t.true(Object.keys(wide).length < 40)
    t.false(events.some(({ type }) => type === 'worker.lost'))
  },
)
