import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { exportEngram, Kernel, openEngram } from '../../ts/index.ts'
import { openRecall, type Recall } from '../../ts/recall/recall.ts'
import { Principals } from '../graph/principals.ts'
import { refused } from '../kernel/refused.ts'
import { chooseSeed, seededRandom } from '../values/random.ts'

const keys = (memory: Recall, cue: string, options = {}): string[] =>
  memory.find(cue, options).map(({ key }) => key)

test('it follows the graph: what is written, changed, unlabelled and removed', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => tx.put('a', { labels: ['Fact'], props: { text: 'hooks came with react 16.8' } }))
  const memory = await openRecall(graph, { label: 'Fact', text: 'text' })
  t.deepEqual(keys(memory, 'when did hooks come to React?'), ['a'])
  await graph.write((tx) => {
    tx.put('b', { labels: ['Fact'], props: { text: 'hooks are functions' } })
    tx.put('c', { labels: ['Rumour'], props: { text: 'hooks are evil' } })
  })
  t.deepEqual(keys(memory, 'hooks functions'), ['b', 'a'])
  await graph.write((tx) => {
    tx.patch('a', { props: { text: 'classes came first' } })
    tx.patch('b', { dropLabels: ['Fact'] })
    tx.patch('c', { labels: ['Fact'] })
  })
  t.deepEqual(keys(memory, 'hooks functions'), ['c'])
  t.deepEqual(keys(memory, 'classes'), ['a'])
  await graph.write((tx) => tx.remove('c'))
  t.deepEqual(keys(memory, 'hooks'), [])
  t.is(memory.stats().version, graph.stats().durable)
})

test('as of any version since it was opened it finds what was there then', async (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  const below = (count: number): number => Math.floor(random() * count)
  const { graph } = Kernel.memory()
  const memory = await openRecall(graph, { label: 'Fact', text: 'text' })
  const versions: { version: bigint; texts: Map<string, string> }[] = []
  const texts = new Map<string, string>()
  for (let step = 0; step < 120; step++) {
    const { version } = await graph.write((tx) => {
      for (let change = below(4); change >= 0; change--) {
        const key = `n${below(25)}`
        if (below(4) === 0) {
          tx.remove(key)
          texts.delete(key)
        } else {
          const text = Array.from({ length: 1 + below(5) }, () => `w${below(30)}`).join(' ')
          tx.put(key, { labels: ['Fact'], props: { text } })
          texts.set(key, text)
        }
      }
    })
    versions.push({ version, texts: new Map(texts) })
    // Sometimes it has to catch up with many at once.
    if (below(3) === 0) memory.find('w1')
  }
  for (const { version, texts: then } of versions) {
    const word = `w${below(30)}`
    const expected = [...then].flatMap(([key, text]) => (text.split(' ').includes(word) ? [key] : []))
    t.deepEqual(
      keys(memory, word, { at: version, limit: 100 }).toSorted(),
      expected.toSorted(),
      `${word} at ${version}, KARYON_SEED=${seed}`,
    )
  }
})

test('a view of the past, a fork and an engram are recalled as the graph is', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'karyon-recall-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const { graph } = Kernel.memory()
  const words = ['red', 'blue', 'house', 'car', 'hat', 'tree']
  await graph.write((tx) => {
    for (let at = 0; at < 60; at++) {
      const text = [0, 1, 2].map((step) => words[(at * 7 + step * (1 + (at % 5))) % words.length]).join(' ')
      tx.put(`n${(at * 17) % 60}`, { labels: ['Fact'], props: { text } })
    }
  })
  const options = { label: 'Fact', text: 'text' }
  const path = join(folder, 'facts.engram')
  await exportEngram(graph, path, { name: 'facts', version: '1.0.0' })
  using engram = openEngram(path)
  using view = graph.snapshot()
  const fork = await graph.fork('idea')
  const sources = [graph, view, fork, engram]
  const memories = await Promise.all(sources.map((source) => openRecall(source, options)))
  for (const cue of ['red house', 'blue', 'tree car hat']) {
    const found = memories.map((memory) => memory.find(cue, { limit: 60 }))
    t.true((found[0]?.length ?? 0) > 5)
    for (const other of found.slice(1)) t.deepEqual(other, found[0])
  }
  await graph.write((tx) => tx.put('new', { labels: ['Fact'], props: { text: 'red red red' } }))
  await fork.write((tx) => tx.put('idea', { labels: ['Fact'], props: { text: 'red red red' } }))
  t.deepEqual(
    memories.map((memory) => keys(memory, 'red').filter((key) => ['new', 'idea'].includes(key))),
    [['new'], [], ['idea'], []],
  )
  t.throws(() => memories[3]?.find('red', { at: 1n }), { code: 'ERR_KARYON_ARGUMENT' })
})

test('thresholds, confidence and trust are those of the nodes', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => {
    tx.put('shy', { labels: ['Fact'], props: { text: 'one two three four', needs: 0.9 } })
    tx.put('unsure', { labels: ['Fact'], props: { text: 'one two', sure: 0.2 } })
    tx.put('stranger', { labels: ['Fact'], props: { text: 'one', trusted: 0 } })
  })
  const memory = await openRecall(graph, {
    label: 'Fact',
    text: 'text',
    threshold: 'needs',
    confidence: 'sure',
    trust: 'trusted',
  })
  t.deepEqual(keys(memory, 'one').toSorted(), ['shy', 'stranger', 'unsure'])
  t.deepEqual(keys(memory, 'one five six').toSorted(), ['stranger', 'unsure'])
  t.deepEqual(keys(memory, 'one', { minConfidence: 0.5 }).toSorted(), ['shy', 'stranger'])
  t.deepEqual(keys(memory, 'one', { minTrust: 0.5 }).toSorted(), ['shy', 'unsure'])
})

test('an erased node is forgotten, now and in the past', async (t) => {
  const { graph } = Kernel.memory()
  const { version } = await graph.write((tx) => {
    for (const key of ['a', 'b', 'c']) tx.put(key, { labels: ['Fact'], props: { text: 'secret zebra' } })
  })
  const memory = await openRecall(graph, { label: 'Fact', text: 'text' })
  await graph.erase('a')
  t.deepEqual(keys(memory, 'zebra'), ['b', 'c'])
  t.deepEqual(keys(memory, 'zebra', { at: version }), ['b', 'c'])
  await graph.write((tx) => tx.put('a', { labels: ['Fact'], props: { text: 'zebra again' } }))
  t.deepEqual(keys(memory, 'zebra').toSorted(), ['a', 'b', 'c'])
})

test('what was erased after it was removed, and before it was made again, is forgotten as well', async (t) => {
  const { graph } = Kernel.memory()
  const fact = (text: string) => ({ labels: ['Fact'], props: { text } })
  const { version } = await graph.write((tx) => {
    for (const key of ['gone', 'plain', 'again', 'same', 'kept']) tx.put(key, fact(`secret zebra`))
  })
  const memory = await openRecall(graph, { label: 'Fact', text: 'text' })
  await graph.write((tx) => {
    tx.remove('gone')
    tx.patch('plain', { dropLabels: ['Fact'] })
  })
  await graph.write((tx) => tx.patch('kept', { props: { text: 'other' } }))
  t.deepEqual(keys(memory, 'zebra').toSorted(), ['again', 'same'])
  t.is(keys(memory, 'zebra', { at: version }).length, 5)
  for (const key of ['gone', 'plain', 'again', 'same']) await graph.erase(key)
  await graph.write((tx) => {
    tx.put('again', fact('new lion'))
    tx.put('same', fact('secret zebra'))
  })
  t.deepEqual(keys(memory, 'zebra'), ['same'])
  t.deepEqual(keys(memory, 'zebra', { at: version }), ['kept'])
  t.deepEqual(keys(memory, 'lion'), ['again'])
})

test('what is written into forks is no erasure, and what is erased meanwhile is one', async (t) => {
  const { graph } = Kernel.memory()
  const { version } = await graph.write((tx) => {
    for (const key of ['a', 'b']) tx.put(key, { labels: ['Fact'], props: { text: 'zebra' } })
  })
  const memory = await openRecall(graph, { label: 'Fact', text: 'text' })
  const fork = await graph.fork('try')
  await fork.write((tx) => tx.put('c', { labels: ['Fact'], props: { text: 'zebra' } }))
  await graph.write((tx) => tx.remove('a'))
  t.deepEqual(keys(memory, 'zebra', { at: version }), ['a', 'b'])
  await graph.erase('a')
  await fork.write((tx) => tx.patch('c', { props: { n: 1 } }))
  t.deepEqual(keys(memory, 'zebra', { at: version }), ['b'])
})

test('one that falls behind what is kept compares what is there', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => {
    tx.put('x', { labels: ['Fact'], props: { text: 'busy' } })
    tx.put('old', { labels: ['Fact'], props: { text: 'zebra' } })
  })
  const memory = await openRecall(graph, { label: 'Fact', text: 'text' })
  for (let n = 0; n < 2_100; n++) {
    await graph.write((tx) => {
      tx.patch('x', { props: { n } })
      if (n !== 1_000) return
      tx.put('mid', { labels: ['Fact'], props: { text: 'zebra' } })
      tx.remove('old')
    })
  }
  await graph.compact({ since: graph.snapshot().version })
  t.deepEqual(keys(memory, 'zebra'), ['mid'])
  t.throws(() => memory.find('zebra', { at: 3n }), { code: 'ERR_KARYON_HORIZON' })
  await graph.write((tx) => tx.remove('mid'))
  t.deepEqual(keys(memory, 'zebra'), [])
})

test('what is no number counts as nothing said', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => {
    const put = (key: string, weight: number): void =>
      tx.put(key, { labels: ['Fact'], props: { text: 'zebra', weight } })
    put('a', 1)
    put('b', NaN)
    put('c', 50)
  })
  const memory = await openRecall(graph, { label: 'Fact', text: 'text', weight: 'weight', trust: 'weight' })
  t.deepEqual(keys(memory, 'zebra'), ['c', 'a', 'b'])
})

test('who may not read everything recalls nothing', async (t) => {
  const reader = new Principals().session('root/reader', { read: ['Fact'] })
  await refused(t, 'ERR_KARYON_ACCESS', openRecall(reader.graph, { label: 'Fact', text: 'text' }))
})

test('bad input is refused', async (t) => {
  const { graph } = Kernel.memory()
  await t.throwsAsync(openRecall(graph, {} as never), { code: 'ERR_KARYON_ARGUMENT' })
  await graph.write((tx) => tx.put('a'))
  const memory = await openRecall(graph, { label: 'Fact', text: 'text' })
  await t.throwsAsync(openRecall(graph, { label: 'Fact', text: 'text', wieght: 'w' } as never), {
    code: 'ERR_KARYON_ARGUMENT',
  })
  const options = [
    { most: 5 } as never,
    { limit: 0 },
    { limit: 1_001 },
    { minHeads: 9 },
    { minTrust: 2 },
    { minConfidence: -1 },
  ]
  for (const bad of options) t.throws(() => memory.find('x', bad), { code: 'ERR_KARYON_ARGUMENT' })
  t.throws(() => memory.find(5 as never), { code: 'ERR_KARYON_ARGUMENT' })
  t.throws(() => memory.find('x', { at: 0n }), { code: 'ERR_KARYON_HORIZON' })
  t.throws(() => memory.find('x', { at: 99n }), { code: 'ERR_KARYON_UNSETTLED' })
  t.throws(() => memory.find('\ud800'), { code: 'ERR_KARYON_STRING_MALFORMED' })
})
