import test, { type ExecutionContext } from 'ava'
import { cpSync, existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Kernel, dropEngram, exportEngram, keepEngram, keptEngrams, restoreEngram } from '../../ts/index.ts'
import { freshDirectory } from '../kernel/directory.ts'
import { below, pick, seededRandom } from '../values/random.ts'
import { ABOUT, fill, filesOf, range, seeded, twoKept } from './keeping.ts'

function packBytes(folder: string): number {
  const packs = join(folder, 'packs')
  return readdirSync(packs).reduce((sum, name) => sum + statSync(join(packs, name)).size, 0)
}

async function comesBack(t: ExecutionContext, folder: string, root: string, path: string): Promise<void> {
  await restoreEngram(folder, root, `${path}.again`)
  t.true(readFileSync(`${path}.again`).equals(readFileSync(path)))
}

/** A folder with two packages, of both of which a third one has something, and which are to be dropped. */
async function threeKept(t: ExecutionContext): Promise<{
  readonly directory: string
  readonly folder: string
  /** In the order in which they came: a, b, c and d. */
  readonly roots: readonly string[]
}> {
  const random = seededRandom(3)
  const directory = freshDirectory(t)
  const folder = join(directory, 'kept')
  const { graph } = Kernel.memory()
  const roots: string[] = []
  for (const [at, name] of ['a', 'b', 'c', 'd'].entries()) {
    await fill(graph, random, at === 0 ? range(0, 40) : range(at * 10, at * 10 + 10))
    await exportEngram(graph, join(directory, name), { ...ABOUT, version: `1.${at}.0` })
    roots.push((await keepEngram(join(directory, name), folder)).root)
  }
  return { directory, folder, roots }
}

test('a folder in which each version is kept and the one before dropped does not grow', async (t) => {
  const random = seeded(t)
  const directory = freshDirectory(t)
  const folder = join(directory, 'kept')
  const { graph } = Kernel.memory()
  await fill(graph, random, range(0, 60))
  const shares: number[] = []
  let last: string | undefined
  for (let version = 0; version < 16; version++) {
    const first = below(random, 54)
    await fill(graph, random, range(first, first + 6))
    const path = join(directory, 'version')
    await exportEngram(graph, path, { ...ABOUT, version: `1.${version}.0` })
    const { root, bytes } = await keepEngram(path, folder)
    if (last !== undefined) await dropEngram(folder, last)
    last = root
    await comesBack(t, folder, root, path)
    shares.push(packBytes(folder) / bytes)
  }
  t.log(shares.map((share) => share.toFixed(2)).join(' '))
  t.true(Math.max(...shares) < 1.55)
})

test('whatever is kept and dropped, what is kept comes back, and packs are a third dead at most', async (t) => {
  const random = seeded(t)
  const directory = freshDirectory(t)
  const folder = join(directory, 'kept')
  const { graph } = Kernel.memory()
  await fill(graph, random, range(0, 30))
  const kept = new Map<string, string>()
  for (let step = 0; step < 30; step++) {
    if (kept.size < 2 || random() < 0.5) {
      const first = below(random, 25)
      await fill(graph, random, range(first, first + 5))
      const path = join(directory, `v${step}`)
      await exportEngram(graph, path, { ...ABOUT, version: `1.${step}.0` })
      kept.set((await keepEngram(path, folder)).root, path)
    } else {
      const root = pick(random, [...kept.keys()])
      await dropEngram(folder, root)
      kept.delete(root)
      for (const [other, path] of kept) await comesBack(t, folder, other, path)
      const all = [...kept.values()].reduce((sum, path) => sum + statSync(path).size, 0)
      t.true(packBytes(folder) < all * 1.55, `step ${step}`)
    }
    t.deepEqual(
      keptEngrams(folder).map(({ root }) => root),
      [...kept.keys()].toSorted(),
    )
  }
  for (const root of kept.keys()) await dropEngram(folder, root)
  t.deepEqual(filesOf(folder), {})
})

test('a pack that is damaged stays as it is, and so does what others have of it', async (t) => {
  const { directory, folder, roots } = await threeKept(t)
  const [a = '', b = '', c = '', d = ''] = roots
  const path = join(folder, 'packs', `${a}.pack`)
  const bytes = readFileSync(path)
  // Of its last nodes, the last version still has the first ten: the rest is dead soon.
  const used = 48 + 20_000
  bytes[used]! ^= 1
  writeFileSync(path, bytes)
  for (const root of [a, b, c]) await dropEngram(folder, root)
  t.true(existsSync(path))
  await t.throwsAsync(restoreEngram(folder, d, join(directory, 'out')), { code: 'ERR_KARYON_PACKAGE_ROOT' })
  bytes[used]! ^= 1
  writeFileSync(path, bytes)
  await comesBack(t, folder, d, join(directory, 'd'))
  // Another drop puts it together, now that it can be read.
  const kept = await keepEngram(join(directory, 'a'), folder)
  await dropEngram(folder, kept.root)
  t.false(existsSync(path))
  await comesBack(t, folder, d, join(directory, 'd'))
})

test('a crash while packs are put together leaves every package whole', async (t) => {
  const { directory, folder, roots } = await threeKept(t)
  const [a, b, c, d] = roots as [string, string, string, string]
  await dropEngram(folder, a)
  const before = join(directory, 'before')
  cpSync(folder, before, { recursive: true })
  await dropEngram(folder, b)
  const [old, now] = [readdirSync(join(before, 'packs')), readdirSync(join(folder, 'packs'))]
  t.true(
    old.some((name) => !now.includes(name)),
    'something was put together',
  )
  const cases: readonly (readonly string[])[] = [[], [c], [d], [c, d]]
  for (const replaced of cases) {
    const half = join(directory, `half of ${replaced.length} ${replaced[0] === c}`)
    cpSync(before, half, { recursive: true })
    cpSync(join(folder, 'packs'), join(half, 'packs'), { recursive: true })
    rmSync(join(half, 'packages', `${b}.list`))
    for (const root of replaced) {
      cpSync(join(folder, 'packages', `${root}.list`), join(half, 'packages', `${root}.list`))
    }
    for (const [root, name] of [
      [c, 'c'],
      [d, 'd'],
    ] as const) {
      await comesBack(t, half, root, join(directory, name))
      await keepEngram(join(directory, 'b'), half)
      await comesBack(t, half, root, join(directory, name))
    }
    await dropEngram(half, b)
    await comesBack(t, half, d, join(directory, 'd'))
    await dropEngram(half, c)
    await dropEngram(half, d)
    t.deepEqual(filesOf(half), {})
  }
})

test('a restore that loses its packs while they are put together begins again', async (t) => {
  const { directory, folder, roots } = await threeKept(t)
  const [a = '', b = '', c = '', d = ''] = roots
  const after = join(directory, 'after')
  cpSync(folder, after, { recursive: true })
  for (const root of [a, b, c]) await dropEngram(after, root)
  // It has read as far as it does at once: the first chunk.
  const restored = restoreEngram(folder, d, join(directory, 'd.again'))
  rmSync(folder, { recursive: true })
  cpSync(after, folder, { recursive: true })
  await restored
  t.true(readFileSync(join(directory, 'd.again')).equals(readFileSync(join(directory, 'd'))))
  // One that is gone is not waited for.
  const lost = restoreEngram(folder, d, join(directory, 'lost'))
  rmSync(folder, { recursive: true })
  await t.throwsAsync(lost, { code: 'ERR_KARYON_IO' })
  t.false(existsSync(join(directory, 'lost')))
})

test('packs of which most is used stay as they are', async (t) => {
  const { folder, a, b } = await twoKept(t)
  const before = filesOf(folder)
  await dropEngram(folder, a.root)
  const after = filesOf(folder)
  t.like(before, after)
  t.true(join('packs', `${a.root}.pack`) in after)
  t.is(keptEngrams(folder)[0]?.root, b.root)
})
