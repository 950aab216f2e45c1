import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { Kernel, type Graph, type Lookup } from '../../ts/index.ts'
import { chooseSeed, seededRandom } from '../values/random.ts'
import { refused } from '../kernel/refused.ts'
import { Principals } from './principals.ts'

const KEYS = Array.from({ length: 60 }, (_, at) => (at % 7 === 0 ? `ключ ${at}` : `node/${at}`))

/** What the graph says, one node at a time. */
function held(graph: Graph, key: string): number | undefined {
  const value = graph.get(key)?.props['weight']
  return typeof value === 'number' && !Number.isNaN(value) ? value : undefined
}

/** A lookup answers as the graph does: one key, tags, handles. */
function agrees(graph: Graph, lookup: Lookup, tags: BigUint64Array, quick: Lookup = lookup): string[] {
  const wanted = KEYS.map((key) => held(graph, key))
  const many = [lookup.getMany(tags), lookup.getMany(graph.handles(KEYS))]
  return KEYS.flatMap((key, at) => {
    const found = [lookup.get(key), quick.get(key), ...many.map((numbers) => numbers[at])]
    const same = found.every((number) => Object.is(number ?? NaN, wanted[at] ?? NaN))
    return same ? [] : [`${key}: ${found.join(', ')} for ${wanted[at]}`]
  })
}

test('a lookup follows every kind of write, and answers as the graph does', async (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  const below = (count: number): number => Math.floor(random() * count)
  const { graph } = Kernel.memory()
  let lookup: Lookup | undefined
  let quick: Lookup | undefined
  let tags: BigUint64Array = new BigUint64Array()
  for (let step = 0; step < 400; step++) {
    // Half of the nodes are there when it is made.
    if (step === 100) {
      lookup = await graph.lookup('weight')
      quick = await graph.lookup('weight', { strict: false })
      tags = lookup.tags(KEYS)
    }
    const key = KEYS[below(step < 100 ? 30 : KEYS.length)] as string
    const weight = [below(10), -0, 0.5 - random(), 2 ** 40, NaN, 'text', 7n, null][below(8)] as number
    const what = below(9)
    const isNumber = held(graph, key) !== undefined
    if (what === 7 && graph.get(key) !== undefined) await graph.erase(key)
    else
      await graph.write((tx) => {
        if (what === 0) tx.remove(key, { detach: true })
        else if (what === 1) tx.put(key, { labels: ['Fact'] })
        else if (what === 2) tx.patch(key, { props: { weight: undefined, other: step } })
        else if (what === 3 && isNumber) tx.increment(key, 'weight', 0.25)
        else if (what === 4)
          tx.patch(key, { props: { weight }, valid: { from: '2020-01-01', to: '2030-01-01' } })
        else if (what === 5) tx.put(KEYS[below(KEYS.length)] as string, { props: { weight: step } })
        else tx.put(key, { props: { weight } })
      })
    if (step % 37 === 0 && step > 0) {
      const fork = await graph.fork(`fork ${step}`)
      await fork.write((tx) => tx.put(key, { props: { weight: 1e9 } }))
      if (step % 2 === 0) await fork.merge()
    }
    if (lookup !== undefined)
      t.deepEqual(agrees(graph, lookup, tags, quick), [], `step ${step}, KARYON_SEED=${seed}`)
  }
  t.is(await graph.lookup('weight').then((again) => agrees(graph, again, tags).length), 0)
})

test('one synchronous run sees one version of it, and what is not durable yet is not shown', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => tx.put('a', { props: { n: 1 } }))
  using lookup = await graph.lookup('n')
  const transaction = graph.begin()
  transaction.put('a', { props: { n: 2 } })
  transaction.put('b', { props: { n: 3 } })
  const tags = lookup.tags(['a', 'b'])
  const committing = transaction.commit()
  t.deepEqual([...lookup.getMany(tags)], [1, NaN], 'committed, and not told yet')
  t.is(lookup.get('a'), 1)
  t.is(lookup.get('b'), undefined)
  await committing
  t.deepEqual([...lookup.getMany(tags)], [2, 3])
})

test('lookups of a store on disk begin anew when it is opened again', async (t) => {
  const path = mkdtempSync(join(tmpdir(), 'karyon-lookup-'))
  t.teardown(() => rmSync(path, { recursive: true }))
  for (let round = 0; round < 3; round++) {
    const kernel = await Kernel.open(path)
    const { graph } = kernel
    using lookup = await graph.lookup('n')
    t.is(lookup.get('a'), round === 0 ? undefined : round)
    await graph
      .write((tx) => tx.increment('a', 'n'))
      .catch(() => graph.write((tx) => tx.put('a', { props: { n: 1 } })))
    t.is(lookup.get('a'), round + 1)
    await kernel.close()
    t.throws(() => lookup.get('a'), { code: 'ERR_KARYON_CLOSED' })
  }
})

test('nobody who may not read everything has one, and no fork', async (t) => {
  const principals = new Principals()
  const { graph } = principals.session('root')
  await graph.write((tx) => tx.put('a', { labels: ['Secret'], props: { n: 1 } }))
  const reader = principals.session('root/reader', { read: ['Public'] })
  await refused(t, 'ERR_KARYON_ACCESS', reader.graph.lookup('n'))
  const fork = await graph.fork('fork')
  await refused(t, 'ERR_KARYON_LAYER', fork.lookup('n'))
  const late = principals.session('root/late')
  const lookup = await late.graph.lookup('n')
  t.is(lookup.get('a'), 1)
  late.kill()
  await refused(t, 'ERR_KARYON_CELL_DEAD', async () => lookup.get('a'))
  await refused(t, 'ERR_KARYON_CELL_DEAD', async () => lookup.getMany(new Uint32Array(1)))
})

test('bad input is refused', async (t) => {
  const { graph } = Kernel.memory()
  await t.throwsAsync(graph.lookup(''), { code: 'ERR_KARYON_KEY_SIZE' })
  await t.throwsAsync(graph.lookup('__proto__'), { code: 'ERR_KARYON_NAME_RESERVED' })
  await t.throwsAsync(graph.lookup('n', { strict: 1 as never }), { code: 'ERR_KARYON_ARGUMENT' })
  await t.throwsAsync(graph.lookup('n', { exact: true } as never), { code: 'ERR_KARYON_ARGUMENT' })
  const lookup = await graph.lookup('n')
  t.is(lookup.property, 'n')
  t.throws(() => lookup.get('x'.repeat(1_025)), { code: 'ERR_KARYON_KEY_SIZE' })
  t.throws(() => lookup.tags(['a', 'x'.repeat(1_025)]), { code: 'ERR_KARYON_KEY_SIZE' })
  t.throws(() => lookup.get('\ud800'), { code: 'ERR_KARYON_STRING_MALFORMED' })
  t.throws(() => lookup.tags('a' as never), { code: 'ERR_KARYON_ARGUMENT' })
  t.throws(() => lookup.getMany([1] as never), { code: 'ERR_KARYON_ARGUMENT' })
  t.throws(() => lookup.getMany(new BigUint64Array(3)), { code: 'ERR_KARYON_ARGUMENT' })
  t.deepEqual([...lookup.getMany(new Uint32Array([0, 5, 2 ** 32 - 1, 2 ** 32 - 2]))], [NaN, NaN, NaN, NaN])
  t.deepEqual([...lookup.getMany(new BigUint64Array(8))], [NaN, NaN, NaN, NaN])
  t.is(lookup.getMany(new BigUint64Array()).length, 0)
  lookup.close()
  lookup.close()
  t.throws(() => lookup.get('a'), { code: 'ERR_KARYON_ARGUMENT' })
})

test('a store has 64 of them at most, and room for another once one is closed', async (t) => {
  const { graph } = Kernel.memory()
  const lookups = await Promise.all(Array.from({ length: 64 }, (_, at) => graph.lookup(`n${at}`)))
  const again = await graph.lookup('n0')
  await refused(t, 'ERR_KARYON_TRANSACTION_SIZE', graph.lookup('n64'))
  lookups[1]?.close()
  t.is((await graph.lookup('n64')).property, 'n64')
  again.close()
})

test('who closes a lookup takes it from nobody else', async (t) => {
  const { graph } = Kernel.memory()
  const [one, other] = [await graph.lookup('n'), await graph.lookup('n')]
  one.close()
  await graph.write((tx) => tx.put('a', { props: { n: 5 } }))
  t.is(other.get('a'), 5)
})
