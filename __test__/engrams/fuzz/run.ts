// Runs the fuzz target for a while: `node --import=@oxc-node/core/register __test__/engrams/fuzz/run.ts --seconds 60 --seed 1`.
//
// What is fuzzed runs in a process of its own, with little memory: so what ends it, fills it or does not end is found as well. An input that fails is
// left in the folder for temporary files; `--input FILE` runs it again.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { chooseSeed, seededRandom } from '../../values/random.ts'
import { Inputs } from './inputs.ts'

/** One input may take so long, in ms, on a machine that has other work too. */
const INPUT_MS_MAX = 30_000
/** What the process may have in JavaScript, and in all, in MiB: of which it has some 200 before anything is read. */
const HEAP_MIB_MAX = 256
const MEMORY_MIB_MAX = 768
/** How often it says where it is, in ms. */
const REPORT_MS = 1_000

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string' },
    input: { type: 'string' },
    current: { type: 'string' },
  },
})

if (values.input !== undefined) await again(values.input)
else if (values.current !== undefined) await fuzzAlone(values.current)
else process.exitCode = await watch()

async function again(file: string): Promise<void> {
  const { outcomesOf } = await import('./target.ts')
  for (const told of await outcomesOf(readFileSync(file))) process.stdout.write(`${told}\n`)
}

/** Runs inputs until the time is over, each written down before it is run. */
async function fuzzAlone(current: string): Promise<void> {
  const { SEEDS, outcomesOf } = await import('./target.ts')
  const inputs = new Inputs(seededRandom(Number(values.seed)), SEEDS)
  const end = Date.now() + Number(values.seconds) * 1_000
  let [rounds, reported] = [0, 0]
  const memory = (): number => Math.round(process.resourceUsage().maxRSS / 1024)
  for (const seed of SEEDS) inputs.learn(seed, await outcomesOf(seed))
  const report = (): void => {
    process.stdout.write(
      `${rounds} inputs, ${inputs.told} different outcomes, ${inputs.kept} kept, ${memory()} MiB\n`,
    )
    reported = Date.now()
  }
  report()
  for (; Date.now() < end; rounds++) {
    const input = inputs.next()
    writeFileSync(current, input)
    inputs.learn(input, await outcomesOf(input))
    if (memory() > MEMORY_MIB_MAX) throw new Error(`${memory()} MiB are more than ${MEMORY_MIB_MAX}`)
    if (Date.now() - reported > REPORT_MS) report()
  }
  report()
}

/** Watches over the process that runs them. Returns how to end. */
async function watch(): Promise<number> {
  const seed = values.seed ?? String(chooseSeed())
  process.stdout.write(`KARYON_SEED=${seed}\n`)
  const folder = mkdtempSync(join(tmpdir(), 'karyon-fuzz-run-'))
  const current = join(folder, 'current')
  try {
    const args = [`--max-old-space-size=${HEAP_MIB_MAX}`, ...process.execArgv, fileURLToPath(import.meta.url)]
    const own = ['--seconds', values.seconds, '--seed', seed, '--current', current]
    const child = spawn(process.execPath, [...args, ...own], { stdio: ['ignore', 'pipe', 'inherit'] })
    const failure = await failureOf(child)
    if (failure === undefined) return 0
    const kept = join(tmpdir(), `karyon-fuzz-failure-${seed}-${process.pid}`)
    if (existsSync(current)) copyFileSync(current, kept)
    process.stderr.write(`${failure}; run it again with --input ${kept}\n`)
    return 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** What became of it, unless all is well. Passes on what it says. */
async function failureOf(child: ChildProcess): Promise<string | undefined> {
  let isStuck = false
  const stuck = setTimeout(() => {
    isStuck = true
    child.kill('SIGKILL')
  }, INPUT_MS_MAX)
  createInterface({ input: child.stdout! }).on('line', (line) => {
    stuck.refresh()
    process.stdout.write(`${line}\n`)
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  clearTimeout(stuck)
  if (isStuck) return `an input has not come to its end in ${INPUT_MS_MAX} ms`
  return code === 0 ? undefined : `it ended with ${signal ?? code}`
}
