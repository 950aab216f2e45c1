// What is left of a program that one of its cells has ended.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { Kernel } from '../../../ts/index.ts'
import { freshDirectory } from '../../kernel/directory.ts'
import type { Tier } from './cells.ts'

const program = fileURLToPath(new URL('./programs.ts', import.meta.url))

interface Ended {
  readonly code: number | null
  readonly signal: string | null
  readonly output: string
  readonly errors: string
}

function run(...args: string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const node = ['--max-old-space-size=64', '--import=@oxc-node/core/register', program]
    const child = spawn(process.execPath, [...node, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    let [output, errors] = ['', '']
    child.stdout.on('data', (part: Buffer) => (output += part.toString()))
    child.stderr.on('data', (part: Buffer) => (errors += part.toString()))
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, output, errors }))
  })
}

/** Runs the program, and looks at the store that it leaves: what was acknowledged is there, and nothing else. */
async function leaves(t: ExecutionContext, tier: Tier, what: string): Promise<Ended> {
  const directory = freshDirectory(t)
  const ended = await run(tier, directory, what)
  const kernel = await Kernel.open(directory)
  t.truthy(kernel.graph.get('acknowledged'))
  t.is(kernel.graph.get('lost'), undefined)
  await kernel.close()
  return ended
}

/** A test that a turn ends its program, as an error that nobody overlooks. */
export function endsProgram(
  tier: Tier,
  what: string,
  how: { readonly code?: number; readonly signal?: string; readonly says: RegExp },
): void {
  test.serial(
    `${tier}: ${what} ends the program, never silently; what was acknowledged survives`,
    async (t) => {
      const { says, ...expected } = how
      const { code, signal, output, errors } = await leaves(t, tier, what)
      t.like({ code, signal, output }, { output: 'acknowledged\n', ...expected })
      t.not(code, 0)
      t.regex(errors, says)
    },
  )
}

/** A test that a turn ends its worker, and the program goes on. */
export function endsWorker(what: string): void {
  test.serial(
    `thread: ${what} ends the worker alone; the cell begins anew, and the program goes on`,
    async (t) => {
      const { code, output } = await leaves(t, 'thread', what)
      t.deepEqual([code, output], [0, 'acknowledged\nERR_KARYON_CELL_DEAD\nincarnation 2\n'])
    },
  )
}
