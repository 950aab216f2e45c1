// What the command line does to stores.
import { type Dirent, existsSync } from 'node:fs'
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Archived, type Copied, Kernel, KaryonError, type Salvaged } from '../index.ts'
import type { StoreCommand } from './arguments.ts'

/** What came of it: for programs, for people, and whether it held. */
export interface Report {
  readonly document: object
  readonly text: string
  readonly held: boolean
}

/** The format of every file that this Karyon writes, as in crates/store/src/layout.rs. */
export const FORMAT = 1

/** Carries out a command on a store. */
export async function runOnStore(command: StoreCommand): Promise<Report> {
  const { name, path, to, at } = command
  // Opening would make a store where there is none.
  if (!existsSync(join(path, 'karyon'))) {
    throw new KaryonError('ERR_KARYON_NOT_A_STORE', `there is no store at ${path}; name its directory`)
  }
  switch (name) {
    case 'verify':
      return verify(path)
    case 'backup':
      return copied(await Kernel.restore(path, to), `${path} is copied to ${to}`)
    case 'restore':
      return copied(
        await Kernel.restore(path, to, at === undefined ? {} : { at }),
        `${path} is restored to ${to}`,
      )
    case 'salvage':
      return salvaged(await Kernel.salvage(path, to), path, to)
    case 'compact':
      return within(path, async ({ graph }) => {
        return archived(await graph.compact(command.retention ?? {}), `${path} is compacted`)
      })
    case 'erase':
      return within(path, async ({ graph }) => {
        return archived(await graph.erase(to), 'the node is in none of its versions and files any more')
      })
    case 'upgrade':
      return upgrade(path)
  }
}

/** Opens a store for one thing. */
async function within(path: string, act: (kernel: Kernel) => Promise<Report>): Promise<Report> {
  const kernel = await Kernel.open(path)
  try {
    await kernel.graph.ready('history')
    return await act(kernel)
  } finally {
    await kernel.close()
  }
}

function archived(done: Archived, what: string): Report {
  const { version, since, kept, bytesBefore, bytesAfter } = done
  const from = since > 0n ? `all from version ${since} on, and ${counted(kept, 'version')} before it` : 'all'
  const text = [
    `${what}\n  version   ${version}`,
    `  kept      ${from}`,
    `  log       ${bytesBefore} bytes before, ${bytesAfter} after`,
  ]
  return { document: done, text: text.join('\n'), held: true }
}

function verify(path: string): Promise<Report> {
  return within(path, async ({ graph }) => {
    const found = await graph.verify()
    const { version, frames, nodes, edges, chapters, digest } = found
    const text = [
      `${path} is whole`,
      `  version   ${version} · ${counted(nodes, 'node')}, ${counted(edges, 'edge')}`,
      `  checked   ${counted(frames, 'frame')} of the log, ${counted(chapters, 'chapter')} of the history`,
      `  digest    ${digest}`,
    ]
    return { document: found, text: text.join('\n'), held: true }
  })
}

function copied({ version, time, bytes }: Copied, done: string): Report {
  const text = `${done}\n  version   ${version} of ${time.toISOString()} · ${bytes} bytes of log`
  return { document: { version, time, bytes }, text, held: true }
}

function salvaged(saved: Salvaged, path: string, to: string): Report {
  const { damage, lost, checkpoint, version } = saved
  const whole = `what is whole of ${path} is copied to ${to}`
  const lines = [
    copied(saved, damage === undefined ? `${path} is not damaged; it is copied to ${to}` : whole).text,
  ]
  if (damage !== undefined) lines.push(`  damage    ${damage}`)
  if (damage !== undefined && lost.length === 0)
    lines.push('  lost      nothing: the damage holds no commits')
  for (const { segment, offset, bytes, versions, times, reason } of lost) {
    lines.push(`  lost      segment ${segment} from offset ${offset}, ${bytes} bytes: ${reason}`)
    if (versions) {
      const [from, until] = times?.map((time) => time.toISOString()) ?? []
      lines.push(`            whole in there: versions ${versions[0]} to ${versions[1]}, ${from} to ${until}`)
    }
  }
  if (checkpoint !== undefined) {
    lines.push(
      `  next      a checkpoint of version ${checkpoint} is whole: if ${path} still opens, its present is whole there;`,
      `            read from it what version ${version} does not have, and write that to ${to}`,
    )
  } else if (lost.length > 0) {
    lines.push(
      `  next      a backup that reaches further may have what is lost; keep ${path} until that is clear`,
    )
  }
  return { document: saved, text: lines.join('\n'), held: lost.length === 0 }
}

/** The files of a store that say their format, and what they begin with. */
const FILES = [
  { folder: '', pattern: /^karyon$/, magic: 'KARYON\0\0' },
  { folder: 'log', pattern: /^\d{10}\.seg$/, magic: 'KARYLOG\0' },
  { folder: 'log', pattern: /^\d{10}\.archive$/, magic: 'KARYARC\0' },
  { folder: 'checkpoint', pattern: /^\d{20}\.image$/, magic: 'KARYIMG\0' },
  { folder: 'history', pattern: /^\d{10}\.table$/, magic: 'KARYTAB\0' },
] as const

/** There is one format so far: what there is to do is to say so, and to refuse what is newer. */
async function upgrade(path: string): Promise<Report> {
  let files = 0
  for (const { folder, pattern, magic } of FILES) {
    for (const entry of await entriesOf(join(path, folder))) {
      if (!pattern.test(entry.name)) continue
      const file = join(folder, entry.name)
      const head = await headOf(join(path, file))
      // A segment that is prepared and not begun says nothing yet.
      if (folder === 'log' && head.every((byte) => byte === 0)) continue
      if (head.length < 12 || head.toString('latin1', 0, 8) !== magic) {
        const message = `${file} does not say its format; look at the store with karyon verify ${path}`
        throw new KaryonError('ERR_KARYON_DAMAGED', message, { details: { file } })
      }
      const format = head.readUInt32LE(8)
      if (format > FORMAT) {
        const message = `${file} has format ${format}, this Karyon reads up to ${FORMAT}; upgrade Karyon, not the store`
        throw new KaryonError('ERR_KARYON_FORMAT_NEWER', message, { details: { file, format } })
      }
      files++
    }
  }
  const text = `${path} needs no upgrade: ${counted(files, 'file')} of format ${FORMAT}, the newest`
  return { document: { format: FORMAT, files, upgraded: 0 }, text, held: true }
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  return existsSync(folder) ? readdir(folder, { withFileTypes: true }) : []
}

async function headOf(path: string): Promise<Buffer> {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(12), 0, 12, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}
