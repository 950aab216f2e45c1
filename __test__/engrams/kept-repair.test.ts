import test, { type ExecutionContext } from 'ava'
import { type KeyObject, generateKeyPairSync } from 'node:crypto'
import { existsSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  dropEngram,
  exportEngram,
  inspectEngram,
  keepEngram,
  keptEngrams,
  openEngram,
  restoreEngram,
} from '../../ts/index.ts'
import { below } from '../values/random.ts'
import { ABOUT, filesOf, range, seeded, twoKept } from './keeping.ts'

/** Whether what comes out of the folder is a file, byte for byte. */
async function comesBack(t: ExecutionContext, folder: string, root: string, path: string): Promise<void> {
  const out = `${path}.again`
  await restoreEngram(folder, root, out)
  t.true(readFileSync(out).equals(readFileSync(path)))
}

test('a package whose pack is lost is stored again when it is kept again', async (t) => {
  const { directory, folder, a, b } = await twoKept(t)
  const lost = join(folder, 'packs', `${a.root}.pack`)
  const whole = statSync(lost).size
  rmSync(lost)
  await t.throwsAsync(restoreEngram(folder, a.root, join(directory, 'out')), { code: 'ERR_KARYON_IO' })
  const again = await keepEngram(join(directory, 'a'), folder)
  t.true(again.stored > whole)
  await comesBack(t, folder, a.root, join(directory, 'a'))
  t.false(existsSync(lost), 'the list of the other one names it: nothing else may have its name')
  const other = await keepEngram(join(directory, 'b'), folder)
  t.true(other.shared > b.shared - 4 && other.stored < b.stored * 2)
  await comesBack(t, folder, b.root, join(directory, 'b'))
  t.is((await keepEngram(join(directory, 'a'), folder)).stored, 0)
  t.is((await keepEngram(join(directory, 'b'), folder)).stored, 0)
  for (const { root } of keptEngrams(folder)) await dropEngram(folder, root)
  t.deepEqual(filesOf(folder), {})
})

test('nothing is shared with bytes that are not what was kept, wherever they are not', async (t) => {
  const random = seeded(t)
  const { directory, folder, a, b } = await twoKept(t)
  const path = join(folder, 'packs', `${a.root}.pack`)
  const bytes = readFileSync(path)
  await dropEngram(folder, b.root)
  for (const at of [
    0,
    8,
    12,
    16,
    48,
    bytes.length - 1,
    ...range(0, 12).map(() => below(random, bytes.length)),
  ]) {
    const copy = Buffer.from(bytes)
    copy[at]! ^= 1 + below(random, 255)
    writeFileSync(path, copy)
    await keepEngram(join(directory, 'b'), folder)
    await comesBack(t, folder, b.root, join(directory, 'b'))
    await dropEngram(folder, b.root)
    t.log(`byte ${at}`)
  }
  for (const end of [0, 47, 48, bytes.length - 1]) {
    writeFileSync(path, bytes.subarray(0, end))
    await keepEngram(join(directory, 'b'), folder)
    await comesBack(t, folder, b.root, join(directory, 'b'))
    await dropEngram(folder, b.root)
  }
  const again = await keepEngram(join(directory, 'a'), folder)
  t.true(again.stored > 0)
  await comesBack(t, folder, a.root, join(directory, 'a'))
})

test('a package that is kept again is read where it lies: what it has lost is there again', async (t) => {
  const random = seeded(t)
  const { directory, folder, a, b } = await twoKept(t)
  for (let trial = 0; trial < 8; trial++) {
    for (const { root } of [a, b]) {
      const path = join(folder, 'packs', `${root}.pack`)
      if (!existsSync(path)) continue
      const bytes = readFileSync(path)
      bytes[below(random, bytes.length)]! ^= 1 + below(random, 255)
      writeFileSync(path, bytes)
      if (trial % 4 === 3) truncateSync(path, below(random, bytes.length))
    }
    for (const name of ['b', 'a']) await keepEngram(join(directory, name), folder)
    await comesBack(t, folder, a.root, join(directory, 'a'))
    await comesBack(t, folder, b.root, join(directory, 'b'))
  }
})

test('signatures of the same package are joined to those that it was kept with', async (t) => {
  const { directory, folder, a } = await twoKept(t)
  const [one, other] = [generateKeyPairSync('ed25519'), generateKeyPairSync('ed25519')]
  const plain = join(directory, 'a')
  const signed = async (name: string, ...signWith: KeyObject[]): Promise<string> => {
    const engram = openEngram(plain)
    const path = join(directory, name)
    await exportEngram(engram, path, { ...ABOUT, signWith })
    engram.close()
    t.is(inspectEngram(path).root, a.root)
    return path
  }
  const byOne = await signed('one', one.privateKey)
  const kept = await keepEngram(byOne, folder)
  t.true(kept.stored > 0 && kept.shared >= kept.chunks - 2)
  t.is(kept.bytes, statSync(byOne).size)
  await comesBack(t, folder, a.root, byOne)
  // What is not signed takes no signature away.
  t.is((await keepEngram(plain, folder)).stored, 0)
  await comesBack(t, folder, a.root, byOne)
  const byBoth = await signed('both', one.privateKey, other.privateKey)
  await keepEngram(await signed('other', other.privateKey), folder)
  await comesBack(t, folder, a.root, byBoth)

  // A signature that is none is kept from nobody who has a package of its own, and joined to none.
  const wrong = readFileSync(byOne)
  wrong[wrong.length - 1]! ^= 1
  writeFileSync(join(directory, 'wrong'), wrong)
  t.is((await keepEngram(join(directory, 'wrong'), folder)).stored, 0)
  await comesBack(t, folder, a.root, byBoth)
  t.is(keptEngrams(folder).find(({ root }) => root === a.root)?.bytes, statSync(byBoth).size)
})
