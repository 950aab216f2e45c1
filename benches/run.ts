// `npm run bench [-- ROOM…] [-- --json FILE]`: measures Karyon beside its peers and prints one line a comparison.
import { writeFileSync } from 'node:fs'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import { casesOf, isWanted, roomsInTypeScript } from './cases.ts'
import { measureRust, roomsInRust } from './criterion.ts'
import { measure, ROUNDS } from './measure.ts'
import type { Row } from './measure.ts'
import { heading, lineOf } from './table.ts'

const GIB = 1024 ** 3

// What is measured is what runs in production; some peers look at this too. It stands before anything of theirs is loaded.
process.env['NODE_ENV'] ??= 'production'

async function main(): Promise<number> {
  const { values, positionals: asked } = parseArgs({
    allowPositionals: true,
    options: { json: { type: 'string' }, rounds: { type: 'string', default: String(ROUNDS) } },
  })
  const inTypeScript = roomsInTypeScript()
  const inRust = roomsInRust()
  const known = [...new Set([...inTypeScript, ...inRust])].toSorted()
  const strangers = asked.filter((word) => !known.includes(word.split('/')[0]!))
  if (strangers.length > 0) {
    process.stderr.write(`no room is called ${strangers.join(', ')}; there are ${known.join(', ')}\n`)
    return 2
  }
  const wanted = (room: string): boolean =>
    asked.length === 0 || asked.some((word) => word.split('/')[0] === room)

  print(`${cpus()[0]?.model.trim()}, ${availableParallelism()} cores, ${(totalmem() / GIB).toFixed(0)} GiB`)
  print(
    `Node ${process.versions.node}, ${process.platform} ${process.arch}. A ratio above 1 is better for Karyon.\n`,
  )
  print(heading())
  const rows: Row[] = []
  let failures = 0
  const collect = async (name: string, measuring: () => Promise<Row[]> | Row[]): Promise<void> => {
    try {
      for (const row of await measuring()) {
        rows.push(row)
        print(lineOf(row))
      }
    } catch (error) {
      failures++
      process.stderr.write(`${name} failed: ${error instanceof Error ? error.stack : String(error)}\n`)
    }
  }
  const named: string[] = []
  for (const room of inTypeScript.filter(wanted)) {
    for (const work of await casesOf(room)) {
      if (!isWanted(work.name, asked)) continue
      named.push(work.name)
      await collect(work.name, () => measure(work, Number(values.rounds)))
    }
  }
  // Cases that were found are looked for nowhere else: to compile for them takes minutes.
  const left = asked.filter((word) => !word.includes('/') || !named.some((name) => isWanted(name, [word])))
  for (const room of inRust.filter(
    (room) => asked.length === 0 || left.some((word) => word.split('/')[0] === room),
  )) {
    await collect(room, () => measureRust(room).filter(({ name }) => isWanted(name, asked)))
  }

  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(rows, null, 2)}\n`)
  return failures === 0 && rows.length > 0 ? 0 : 1
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

// Peers keep timers and threads of their own alive; what was measured is on the table by now.
main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(1)
  },
)
