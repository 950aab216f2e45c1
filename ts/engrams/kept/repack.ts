// What is still used of packs that are dead for a good part, put together anew.
import { createHash } from 'node:crypto'
import { HASH_BYTES } from '../layout.ts'
import { NewFile } from '../new-file.ts'
import { ChunkIndex, type Place } from './chunk-index.ts'
import { bytesOf, freeName, listPath, packPath, rootsIn, sweep } from './folder.ts'
import { KeptList, PACK_HEAD_BYTES, type PackName, encodeListHead, encodeRow, packHead } from './list.ts'
import { Packs } from './packs.ts'

type Turn = () => Promise<void> | undefined

/** A pack is put together anew once more than one in so many of its bytes is dead: so it takes at most half as much again as what is used of it. */
const DEAD_SHARE = 3

/**
 * Copies what is used of packs that are dead for more than a third into a new one, and removes them. Each list is replaced at once, so that a crash
 * leaves every package whole. A pack with bytes that are not what was kept stays as it is.
 */
export async function repack(folder: string, turn: Turn): Promise<void> {
  const all = await survey(folder, turn)
  const victims = all.names.flatMap((_, pack) => (isMostlyUsed(all, pack) ? [] : [pack]))
  for (let over = new Set(victims); over.size > 0;) {
    const damaged = await moved(folder, all, over, turn)
    if (damaged === undefined) break
    over = new Set([...over].filter((pack) => pack !== damaged))
  }
  if (victims.length > 0) sweep(folder)
}

/** The packs of a folder, by their numbers: what each is called, its bytes, and those of chunks that are used. */
interface Survey {
  readonly numbers: ReadonlyMap<string, number>
  readonly names: readonly PackName[]
  readonly bytes: readonly number[]
  readonly used: readonly number[]
}

function isMostlyUsed({ bytes, used }: Survey, pack: number): boolean {
  const all = bytes[pack]! - PACK_HEAD_BYTES
  return (all - used[pack]!) * DEAD_SHARE <= all
}

async function survey(folder: string, turn: Turn): Promise<Survey> {
  const numbers = new Map<string, number>()
  const [names, bytes, used]: [PackName[], number[], number[]] = [[], [], []]
  const seen = new ChunkIndex()
  const key = Buffer.alloc(HASH_BYTES)
  for (const root of rootsIn(folder)) {
    using list = new KeptList(listPath(folder, root), root)
    for (const name of list.head.packs) {
      const path = packPath(folder, name)
      if (numbers.has(path)) continue
      numbers.set(path, names.push(name) - 1)
      bytes.push(bytesOf(path, name))
      used.push(0)
    }
    const here = list.head.packs.map((name) => numbers.get(packPath(folder, name))!)
    for (const { rows, at, place } of list.rows()) {
      await turn()
      const pack = here[place.pack]!
      // One chunk may lie in two packs: each is counted.
      rows.copy(key, 0, at, at + HASH_BYTES)
      key.writeUInt32LE((key.readUInt32LE(4) ^ pack) >>> 0, 4)
      if (seen.add(key, 0, place)) used[pack]! += place.length
    }
  }
  return { numbers, names, bytes, used }
}

/** Moves what is used of some packs; nothing is done, and the number of a pack comes back, where that has bytes that are not what was kept. */
async function moved(
  folder: string,
  all: Survey,
  over: ReadonlySet<number>,
  turn: Turn,
): Promise<number | undefined> {
  const numbered = ({ head }: KeptList): number[] =>
    head.packs.map((name) => all.numbers.get(packPath(folder, name))!)
  const roots = rootsIn(folder).filter((root) => {
    using list = new KeptList(listPath(folder, root), root)
    return numbered(list).some((pack) => over.has(pack))
  })
  const name = freeName(folder, roots[0]!, all.names)
  const index = new ChunkIndex()
  const file = new NewFile(packPath(folder, name))
  try {
    using packs = new Packs(folder, all.names)
    file.write(packHead(name))
    for (const root of roots) {
      using list = new KeptList(listPath(folder, root), root)
      const here = numbered(list)
      for (const { rows, at, place } of list.rows()) {
        await turn()
        const pack = here[place.pack]!
        if (!over.has(pack)) continue
        const to = { pack: 0, offset: file.length, length: place.length }
        if (!index.add(rows, at, to)) continue
        const chunk = packs.chunk({ ...place, pack }, rows, at)
        if (!chunk) return pack
        file.write(chunk)
      }
    }
    file.sync()
    file.rename()
  } finally {
    file.abandon()
  }
  for (const root of roots) {
    using list = new KeptList(listPath(folder, root), root)
    const isOver = numbered(list).map((pack) => over.has(pack))
    await rewrite(list, { name, index, isOver }, turn)
  }
  return undefined
}

interface Move {
  readonly name: PackName
  /** Where in the new pack each chunk is. */
  readonly index: ChunkIndex
  /** Of each pack of the list, whether what it has of it has moved. */
  readonly isOver: readonly boolean[]
}

/** Writes a list anew, of the same chunks. */
async function rewrite(list: KeptList, { name, index, isOver }: Move, turn: Turn): Promise<void> {
  const stay = list.head.packs.filter((_, pack) => !isOver[pack])
  const numbers = list.head.packs.map((pack) => stay.indexOf(pack))
  const file = new NewFile(list.path)
  try {
    const start = encodeListHead({ ...list.head, packs: [...stay, name] })
    file.write(start)
    const sum = createHash('sha256').update(start.subarray(-HASH_BYTES))
    for (const { rows, at, place } of list.rows()) {
      const digest = rows.subarray(at, at + HASH_BYTES)
      const to: Place = isOver[place.pack]
        ? { ...index.find(digest)!, pack: stay.length }
        : { ...place, pack: numbers[place.pack]! }
      const row = encodeRow(digest, to)
      sum.update(row)
      file.write(row)
      await turn()
    }
    file.write(sum.digest())
    file.sync()
    file.rename()
  } finally {
    file.abandon()
  }
}
