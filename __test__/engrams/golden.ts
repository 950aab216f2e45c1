// The world of the golden packages: one of everything, the same in every run.
import { createHash, createPrivateKey, type KeyObject } from 'node:crypto'
import type { ExportOptions } from '../../ts/engrams/index.ts'
import { Instant, Kernel, type Graph, type RecallOptions, type Value } from '../../ts/index.ts'
import { Principals } from '../graph/principals.ts'

/** Every kind of value. */
export const VALUES: Readonly<Record<string, Value>> = {
  nothing: null,
  no: false,
  yes: true,
  integer: -(2 ** 53 - 1),
  float: 0.1,
  negativeZero: -0,
  notANumber: Number.NaN,
  bigint: -(2n ** 63n),
  text: 'a 𝒳 é \0',
  bytes: Uint8Array.of(0, 255),
  time: Instant.fromMicros(-1n),
  list: [1, 'two', [null]],
  map: { b: 1, a: { '\uffff': 1, '𐀀': 2 } },
  floats: Float32Array.of(0.5, -1),
}

export const ABOUT: ExportOptions = {
  name: 'karyon/golden',
  version: '1.0.0-rc.1+build.7',
  description: 'One of everything; é, 𝒳.',
  licence: 'MIT',
  parents: ['ab'.repeat(32)],
  policies: { text: 'newest-valid', '*': 'keep-both' },
}

/** A graph with one of everything. */
export async function goldenGraph(graph: Graph = Kernel.memory().graph): Promise<Graph> {
  await graph.write((tx) => {
    tx.put('everything', { labels: ['Fact', 'Ünique'], props: VALUES })
    tx.put('alone')
    tx.put('𐀀', { labels: ['Fact'] })
    tx.put('\uffff')
    tx.put('k'.repeat(1024), { props: { salary: 'open' } })
  })
  await graph.write((tx) => {
    tx.patch('alone', { props: { salary: 1 }, valid: { from: '2026-01-01', to: '2026-02-01' } })
    tx.patch('alone', { props: { salary: 2 }, valid: { from: '2026-02-01T00:00:00.000001Z' } })
    for (const key of ['', 'again']) tx.link('everything', 'KNOWS', '𐀀', { key, props: { key } })
    tx.link('𐀀', 'IS', '𐀀')
    tx.link('𐀀', 'KNOWS', 'everything', { valid: { to: '2026-01-01' }, props: { since: 1 } })
    for (let at = 0; at < 200; at++) {
      tx.put(`leaf ${at}`)
      tx.link('everything', 'HAS', `leaf ${at}`, { props: { at } })
    }
  })
  return graph
}

/** The same, changed in every way since, by somebody else too. */
export async function goldenPast(): Promise<Graph> {
  const principals = new Principals()
  const graph = await goldenGraph(principals.session('root').graph)
  const crew = principals.session('root/crew').graph
  const edge = { from: 'everything', type: 'KNOWS', to: '𐀀' }
  await crew.write((tx) => {
    const names = Object.keys(VALUES)
    // Each has what another one had.
    const turned = names.map((name, at) => [name, VALUES[names[(at + 1) % names.length]!]!] as const)
    tx.patch('everything', {
      labels: ['Forgotten'],
      dropLabels: ['Ünique'],
      props: Object.fromEntries(turned),
    })
    tx.patch('alone', { props: { salary: 3 }, valid: { from: '2026-01-15', to: '2026-03-01' } })
    tx.patch(edge, { props: { key: 'changed', forgotten: true } })
    tx.link('everything', 'KNOWS', '𐀀', { key: 'again', valid: { from: '2026-01-01' } })
    tx.link('𐀀', 'KNOWS', 'everything')
    tx.remove('\uffff')
  })
  await graph.write((tx) => {
    tx.patch('everything', { labels: ['Ünique'], dropLabels: ['Forgotten'], props: VALUES })
    tx.patch('alone', { props: { salary: 4 } })
    tx.patch(edge, { props: { forgotten: undefined } })
    tx.unlink('𐀀', 'IS', '𐀀')
    tx.put('\uffff', { labels: ['Fact'] })
  })
  await crew.write((tx) => tx.link('𐀀', 'IS', '𐀀', { valid: { to: '1969-12-31T23:59:59.999999Z' } }))
  return graph
}

export const RECALLS: readonly RecallOptions[] = [
  { label: 'Fact', text: 'text' },
  { label: 'Fact', text: 'text', weight: 'weight', threshold: 'needs', confidence: 'sure', trust: 'trusted' },
]

/** A graph with a past and texts to recall: one word is in more of them than a slot has room for. */
export async function goldenTexts(): Promise<Graph> {
  const graph = await goldenPast()
  await graph.write((tx) => {
    for (let at = 0; at < 540; at++) {
      const text = at % 60 === 0 ? `Golden hooks, no. ${at}: naïve ﬁsh of 日本` : 'golden'
      const said = at % 7 === 0 ? { weight: at / 100, needs: 0.1, sure: (at % 10) / 10, trusted: 0.5 } : {}
      tx.put(`text ${at}`, { labels: ['Fact'], props: { text, ...said } })
    }
  })
  return graph
}

/** Who has signed the golden package. Everybody knows this key. */
export function goldenSigner(): KeyObject {
  const seed = createHash('sha256').update('karyon golden').digest()
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed])
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
}
