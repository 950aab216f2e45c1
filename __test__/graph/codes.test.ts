import test from 'ava'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { KaryonError, Kernel, type KaryonErrorCode, type Transaction, type Value } from '../../ts/index.ts'
import { native } from '../../ts/native.ts'
import { filesUnder, read } from '../house/source.ts'
import { freshDirectory } from '../kernel/directory.ts'
import { refused } from '../kernel/refused.ts'
import { Principals } from './principals.ts'

/** Where a code that takes more than a line to provoke is provoked. */
type Elsewhere = `${string}.test.ts` | `${string}.rs`

/** Every code, with the shortest way to it. */
const WAYS: Readonly<
  Record<KaryonErrorCode, ((graph: Kernel['graph'], kernel: Kernel) => unknown) | Elsewhere>
> = {
  ERR_KARYON_ARGUMENT: (graph) => graph.get(5 as unknown as string),
  ERR_KARYON_CLOSED: async (graph, kernel) => {
    await kernel.close()
    graph.get('a')
  },
  ERR_KARYON_PANIC: 'crates/store/tests/store/panics.rs',
  ERR_KARYON_IO: () => Kernel.open('a\0b'),
  ERR_KARYON_NOT_A_DIRECTORY: '__test__/kernel/open.test.ts',
  ERR_KARYON_NOT_A_STORE: '__test__/kernel/open.test.ts',
  ERR_KARYON_NOT_EMPTY: '__test__/kernel/copies.test.ts',
  ERR_KARYON_OWNED: '__test__/kernel/processes.test.ts',
  ERR_KARYON_FORMAT_NEWER: '__test__/kernel/open.test.ts',
  ERR_KARYON_DAMAGED: '__test__/kernel/open.test.ts',
  ERR_KARYON_HORIZON: '__test__/graph/retention.test.ts',
  ERR_KARYON_SEGMENT_MISSING: '__test__/kernel/open.test.ts',
  ERR_KARYON_SYNC_FAILED: '__test__/kernel/processes.test.ts',
  ERR_KARYON_BUSY: 'crates/store/src/pipeline.rs',
  ERR_KARYON_INTEGER_RANGE: (graph) => graph.write(putting(2 ** 53)),
  ERR_KARYON_STRING_MALFORMED: (graph) => graph.write(putting('\ud800')),
  ERR_KARYON_VALUE_CYCLE: (graph) => {
    const list: Value[] = []
    list.push(list)
    return graph.write(putting(list))
  },
  ERR_KARYON_VALUE_DEPTH: (graph) =>
    graph.write(putting(JSON.parse('['.repeat(33) + ']'.repeat(33)) as Value)),
  ERR_KARYON_VALUE_SIZE: (graph) => graph.write(putting(new Uint8Array(2 ** 24 + 1))),
  ERR_KARYON_VALUE_TYPE: (graph) => graph.write(putting((() => 1) as unknown as Value)),
  ERR_KARYON_NAME_RESERVED: (graph) => graph.write((tx) => tx.put('a', { labels: ['__proto__'] })),
  ERR_KARYON_KEY_SIZE: (graph) => graph.get('k'.repeat(1025)),
  ERR_KARYON_PROPERTY_COUNT: (graph) =>
    graph.write((tx) => tx.put('a', { labels: Array.from({ length: 257 }, (_, n) => `${n}`) })),
  ERR_KARYON_TRANSACTION_SIZE: '__test__/values/refused.test.ts',
  ERR_KARYON_MEMORY: '__test__/kernel/memory.test.ts',
  ERR_KARYON_CONFLICT: async (graph) => {
    const [one, two] = [graph.begin(), graph.begin()]
    for (const tx of [one, two]) tx.put('a', { props: { n: tx.count() } })
    await one.commit()
    await two.commit()
  },
  ERR_KARYON_WRITE_ASYNC: (graph) => graph.write(() => Promise.resolve(1)),
  ERR_KARYON_WRITE_OUTSIDE: (graph) => graph.write(() => graph.count()),
  ERR_KARYON_TRANSACTION_DONE: (graph) => {
    const tx = graph.begin()
    tx.rollback()
    tx.count()
  },
  ERR_KARYON_TRANSACTION_TIMEOUT: '__test__/graph/transactions.test.ts',
  ERR_KARYON_NODE_MISSING: (graph) => graph.write((tx) => tx.increment('missing', 'n')),
  ERR_KARYON_EDGE_MISSING: (graph) =>
    graph.write((tx) => tx.increment({ from: 'a', type: 'T', to: 'a' }, 'n')),
  ERR_KARYON_HAS_EDGES: (graph) =>
    graph.write((tx) => {
      tx.put('a')
      tx.link('a', 'T', 'a')
      tx.remove('a')
    }),
  ERR_KARYON_UNIQUE: '__test__/graph/index.test.ts',
  ERR_KARYON_REQUIRED: '__test__/graph/index.test.ts',
  ERR_KARYON_LAYER: (graph) => graph.openFork('nowhere'),
  ERR_KARYON_SPLICE_RANGE: (graph) =>
    graph.write((tx) => {
      tx.put('a', { props: { text: 'x' } })
      tx.splice('a', 'text', 2, 0, 'y')
    }),
  ERR_KARYON_SNAPSHOT_COUNT: '__test__/graph/transactions.test.ts',
  ERR_KARYON_TIME: (graph) => graph.at('yesterday'),
  ERR_KARYON_UNSETTLED: (graph) => graph.at(99n),
  ERR_KARYON_HISTORY_BUILDING: 'crates/store/tests/store/checkpoints.rs',
  ERR_KARYON_ACCESS: () => new Principals().session('root/eve', {}).graph.digest(),
  ERR_KARYON_CELL_DEAD: () => {
    const session = new Principals().session('root/a')
    session.kill()
    session.graph.count()
  },
  // What only cells can run into is provoked where they are tested.
  ERR_KARYON_CELL_FAILED: '__test__/cells/mailbox.test.ts',
  ERR_KARYON_CELL_NAME: '__test__/cells/supervision.test.ts',
  ERR_KARYON_CELL_COUNT: 'crates/scheduler/tests/behaviour.rs',
  ERR_KARYON_MAILBOX_FULL: '__test__/cells/mailbox.test.ts',
  ERR_KARYON_MESSAGE_UNKNOWN: '__test__/cells/mailbox.test.ts',
  ERR_KARYON_NOT_SENDABLE: '__test__/cells/sendable.test.ts',
  ERR_KARYON_ASK_TIMEOUT: '__test__/cells/life.test.ts',
  ERR_KARYON_ASK_ABORTED: '__test__/cells/mailbox.test.ts',
  ERR_KARYON_ASK_CYCLE: '__test__/cells/mailbox.test.ts',
  ERR_KARYON_TURN_TIMEOUT: '__test__/cells/turns.test.ts',
  ERR_KARYON_TURN_CPU: '__test__/cells/watchdog-stop.test.ts',
  ERR_KARYON_INVARIANT: '__test__/cells/turns.test.ts',
  ERR_KARYON_RESTART_INTENSITY: '__test__/cells/supervision.test.ts',
  ERR_KARYON_TIMER_COUNT: '__test__/cells/timers.test.ts',
  ERR_KARYON_FOREIGN_AWAIT: '__test__/cells/simulation.test.ts',
  ERR_KARYON_CONSUMED: '__test__/cells/durable.test.ts',
  ERR_KARYON_PACKAGE: '__test__/engrams/hostile.test.ts',
  ERR_KARYON_PACKAGE_ROOT: '__test__/engrams/hostile.test.ts',
  ERR_KARYON_PACKAGE_LIMIT: '__test__/engrams/hostile.test.ts',
  ERR_KARYON_SIGNATURE: '__test__/engrams/signatures.test.ts',
  ERR_KARYON_GRAFT: '__test__/engrams/graft.test.ts',
  ERR_KARYON_GRAFT_CONFLICT: '__test__/engrams/graft.test.ts',
}

function putting(value: Value): (tx: Transaction) => void {
  return (tx) => tx.put('a', { props: { value } })
}

for (const [code, way] of Object.entries(WAYS)) {
  if (typeof way === 'string') continue
  test(`${code} is what comes of it`, async (t) => {
    const kernel = Kernel.memory()
    await refused(t, code as KaryonErrorCode, () => way(kernel.graph, kernel))
  })
}

test('every code that is provoked in another file is named there', (t) => {
  for (const [code, way] of Object.entries(WAYS)) {
    if (typeof way !== 'string') continue
    const name = way.endsWith('.rs') ? rustName(code) : code.replace('ERR_KARYON_', '')
    t.true(read(way).includes(name), `${code} in ${way}`)
  }
})

function rustName(code: string): string {
  const words = code.replace('ERR_KARYON_', '').toLowerCase().split('_')
  return `Code::${words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join('')}`
}

test('the union and the table in the documentation are one list, and the codes of the native side are a part of it', (t) => {
  const source = read('ts/errors.ts')
  const table = [...source.matchAll(/^ \* \| `(ERR_KARYON_\w+)` \| (.+) \|$/gm)]
  const union = [...source.matchAll(/^  \| '(ERR_KARYON_\w+)'$/gm)].map((match) => match[1])
  t.deepEqual(
    table.map((match) => match[1]),
    union,
  )
  t.deepEqual(Object.keys(WAYS), union)
  const codes = native.errorCodes()
  t.true(codes.length > 40)
  t.deepEqual(
    union.filter((code) => codes.includes(code!)),
    codes,
  )
  t.true(table.every((match) => (match[2]?.length ?? 0) > 10))
})

test('nothing in the package throws an error of another class on purpose', (t) => {
  const thrown = filesUnder('ts', '.ts')
    .filter((file) => !/^ts\/(?:native|cli|demo)\//.test(file))
    .flatMap((file) => [...read(file).matchAll(/new (\w*Error)\(/g)].map((match) => match[1]))
  t.deepEqual(
    thrown.filter((name) => name !== 'KaryonError'),
    [],
  )
})

test('an error is an Error, with its name, code, message, facts and cause', async (t) => {
  const cause = new Error('why')
  const error = new KaryonError('ERR_KARYON_ARGUMENT', 'what to do', { details: { limit: 1 }, cause })
  t.true(error instanceof Error)
  t.like(error, { name: 'KaryonError', code: 'ERR_KARYON_ARGUMENT', message: 'what to do', cause })
  t.deepEqual(error.details, { limit: 1 })
  t.false('cause' in new KaryonError('ERR_KARYON_ARGUMENT', 'no cause'))
  t.regex(error.stack ?? '', /^KaryonError: what to do\n\s+at /)
  await t.throwsAsync(Promise.reject(error), { is: error })
})

test('messages for people name the path and what to do', async (t) => {
  const directory = freshDirectory(t)
  const file = join(directory, 'file')
  writeFileSync(file, '')
  t.regex(
    (await refused(t, 'ERR_KARYON_NOT_A_DIRECTORY', Kernel.open(file))).message,
    /file.*name a directory/,
  )
  rmSync(file)
  mkdirSync(join(directory, 'src'))
  t.regex((await refused(t, 'ERR_KARYON_NOT_A_STORE', Kernel.open(directory))).message, /"src".*empty or new/)
})
