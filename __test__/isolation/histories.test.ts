import test, { type ExecutionContext } from 'ava'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { Kernel } from '../../ts/index.ts'
import { freshDirectory, openFor } from '../kernel/directory.ts'
import { below, chooseSeed, seededRandom } from '../values/random.ts'
import { anomalies, forbidden, type Level } from './checker.ts'
import { Clients, complete, prepare, type Matter, type Run } from './clients.ts'
import type { Attempt, History } from './history.ts'
import { secondOpinions } from './judge.ts'
import type { Start } from './thread.ts'

/** For a longer search. */
const TIMES = Number(process.env['KARYON_SEEDS_TIMES'] ?? 1)
const TRANSACTIONS = 240
const THREADS = 4
/** Histories more that are looked through for write skew. */
const SKEW_ATTEMPTS = 20

const LEVELS: readonly Level[] = ['serializable', 'snapshot']
const MATTERS: readonly Matter[] = ['lists', 'registers']

for (const level of LEVELS) {
  for (const matter of MATTERS) {
    test(`${level}, ${matter}: clients of one thread in turns`, async (t) => {
      await judge(t, level, 3 * TIMES, async (seed) => {
        const random = seededRandom(seed)
        const { graph } = Kernel.memory()
        const clients = 8 + below(random, 25)
        await prepare(graph, TRANSACTIONS)
        const run: Run = { matter, level, clients, transactions: TRANSACTIONS, thread: 0 }
        return complete(graph, await new Clients(graph, random, run).attempts())
      })
    })

    test(`${level}, ${matter}: clients of several threads that share a directory`, async (t) => {
      await judge(t, level, TIMES, (seed) => inThreads(t, { level, matter, seed }))
    })
  }
}

/** Histories that two checkers agree on: they have what the level allows, and nothing else. */
async function judge(
  t: ExecutionContext,
  level: Level,
  count: number,
  historyOf: (seed: number) => Promise<History>,
): Promise<void> {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const histories: History[] = []
  for (let n = 0; n < count; n++) histories.push(await historyOf(seed + n))
  const cases = histories.flatMap((history) => LEVELS.map((level) => ({ history, level })))
  const opinions = await secondOpinions(cases)
  let skewed = 0
  for (const [n, history] of histories.entries()) {
    const what = `KARYON_SEED=${seed + n}`
    const committed = history.filter((attempt) => attempt.committed).length
    t.true(committed > TRANSACTIONS / 8 && committed < history.length, `${what}: ${committed} committed`)
    t.is(
      forbidden(history, level)
        .map(({ anomaly, story }) => `${anomaly}: ${story}`)
        .join('\n'),
      '',
      what,
    )
    const found = anomalies(history)
    skewed += found.length > 0 ? 1 : 0
    for (const [at, judged] of LEVELS.entries()) {
      const opinion = opinions[n * LEVELS.length + at] ?? ['no verdict']
      t.is(opinion.length > 0, forbidden(history, judged).length > 0, `${what}: ${judged}, ${opinion.join()}`)
    }
  }
  if (level === 'serializable') return
  // A workload without write skew could not tell the two levels apart. Threads that the system has run one after the other have none.
  for (let n = count; skewed === 0 && n < count + SKEW_ATTEMPTS; n++) {
    skewed += anomalies(await historyOf(seed + n)).length > 0 ? 1 : 0
  }
  t.true(skewed > 0, 'no history has write skew')
}

async function inThreads(
  t: ExecutionContext,
  { level, matter, seed }: { readonly level: Level; readonly matter: Matter; readonly seed: number },
): Promise<History> {
  const directory = freshDirectory(t)
  const { graph } = await openFor(t, directory)
  await prepare(graph, TRANSACTIONS)
  const run = { level, matter, clients: 8, transactions: TRANSACTIONS / THREADS }
  const workers = Array.from({ length: THREADS - 1 }, (_, n) => {
    const workerData: Start = { ...run, thread: n + 1, directory, seed: seed + n + 1 }
    const execArgv = ['--import=@oxc-node/core/register']
    return new Worker(new URL('./thread.ts', import.meta.url), { workerData, execArgv })
  })
  const ended = Promise.all(workers.map((worker) => once(worker, 'exit')))
  await Promise.all(workers.map((worker) => once(worker, 'message')))
  const told = workers.map(async (worker) => {
    const [attempts] = (await once(worker, 'message')) as [Attempt[]]
    return attempts
  })
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  for (const worker of workers) worker.postMessage('go')
  const own = await new Clients(graph, seededRandom(seed), { ...run, thread: 0 }).attempts()
  const others = (await Promise.all(told)).flat()
  await ended
  return complete(graph, [...own, ...others])
}
