// What idle cells cost in memory: the cases, and the program that each of their rounds runs in a process of its own.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { karyon } from '../karyon.ts'
import type { Case, Side } from '../measure.ts'
import { loadNact } from './nact.ts'

/** All that one kernel takes, but for its root. */
const CELLS = 999_999
/** Started before the first look at the memory, so that what is needed once is there. */
const FIRST = 999
/** What an idle cell may cost, in bytes. */
const LIMIT_BYTES = 600
/** Room for the side that needs most, in MiB; it makes no difference to what a side uses. */
const HEAP_MIB = 8_192
/** Cells that are asked whether they live. */
const ASKED = 1_000

export function idle(): readonly Case[] {
  return [
    {
      name: 'cells/bytes',
      unit: 'B/op',
      operations: CELLS,
      slow: true,
      limit: LIMIT_BYTES,
      note: `RSS a cell at ${CELLS} idle, addressable cells, in a process of its own after a collection, with the references to them`,
      ours: inProcess('karyon'),
      peers: [inProcess('nact')],
    },
  ]
}

interface Found {
  readonly bytes: number
  readonly answered: number
}

function inProcess(name: keyof typeof CROWDS): Side {
  let found: Found
  return {
    name,
    async run() {
      const flags = ['--expose-gc', `--max-old-space-size=${HEAP_MIB}`]
      const given = [...flags, fileURLToPath(import.meta.url), name]
      const { stdout } = await promisify(execFile)(process.execPath, given)
      found = JSON.parse(stdout) as Found
    },
    figure: () => found.bytes,
    answer: () => found.answered,
  }
}

/** Actors of one library. */
interface Crowd {
  start(name: string): unknown
  /** Whether it answers. */
  lives(actor: unknown): Promise<boolean>
}

const CROWDS = { karyon: ours, nact }

async function ours(): Promise<Crowd> {
  const { Kernel, cell, message } = await karyon()
  const kernel = Kernel.memory()
  const listener = cell({
    name: 'listener',
    messages: { hello: message<void, true>() },
    on: { hello: () => true as const },
  })
  return {
    start: (name) => kernel.spawn(listener, { name }),
    lives: (actor) => (actor as { ask(message: 'hello'): Promise<boolean> }).ask('hello'),
  }
}

async function nact(): Promise<Crowd> {
  const library = await loadNact()
  const system = library.start({ name: 'crowd' })
  const hello = (_state: undefined, { tell }: { tell: (lives: boolean) => void }): undefined =>
    tell(true) as undefined
  return {
    start: (name) => library.spawn(system, hello, name, {}),
    lives: (actor) =>
      new Promise((tell) => library.dispatch(actor as Parameters<typeof library.dispatch>[0], { tell })),
  }
}

/** What the operating system has given this process, once nothing more can be given back. */
async function residentBytes(): Promise<number> {
  for (let pass = 0; pass < 4; pass++) {
    globalThis.gc!()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return process.memoryUsage.rss()
}

async function count(make: () => Promise<Crowd>): Promise<Found> {
  const crowd = await make()
  const all = Array.from({ length: CELLS })
  for (let at = 0; at < FIRST; at++) all[at] = crowd.start(`listener-${at}`)
  const before = await residentBytes()
  for (let at = FIRST; at < CELLS; at++) all[at] = crowd.start(`listener-${at}`)
  const bytes = ((await residentBytes()) - before) / (CELLS - FIRST)
  let answered = 0
  for (let at = 0; at < ASKED; at++) if (await crowd.lives(all[Math.floor((at * CELLS) / ASKED)])) answered++
  return { bytes, answered }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = await count(CROWDS[process.argv[2] as keyof typeof CROWDS])
  process.stdout.write(JSON.stringify(found), () => process.exit(0))
}
