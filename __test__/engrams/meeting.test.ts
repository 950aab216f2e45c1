// How much of a host is read at once while a package meets it: what fits in little memory, whatever the host holds.
import test from 'ava'
import { portions } from '../../ts/engrams/grafts/meeting.ts'
import { Kernel, type PropertyChanges, type Transaction } from '../../ts/index.ts'
import { fakeEngram } from './fake-engram.ts'

const MIB = 1024 * 1024

test('large nodes and edges of the host are met some at a time, and all of them, in order', async (t) => {
  const host = Kernel.memory()
  const props: PropertyChanges = { large: new Uint8Array(MIB) }
  const keys = Array.from({ length: 60 }, (_, n) => `n${String(n).padStart(2, '0')}`)
  const fill = (each: PropertyChanges) => (tx: Transaction) => {
    for (const key of keys) tx.put(key, { props: each })
    for (const key of keys) for (const to of ['n00', 'n01']) tx.link(to, 'T', key, { props: each })
  }
  for (const key of keys) await host.graph.write((tx) => tx.put(key, { props }))
  for (const key of keys)
    await host.graph.write((tx) => {
      for (const to of ['n00', 'n01']) tx.link(to, 'T', key, { props })
    })
  const engram = await fakeEngram((tx) => {
    fill({})(tx)
    tx.put('unknown')
  })
  using view = host.graph.snapshot()
  const met = { nodes: [] as string[], edges: [] as string[] }
  const most = { nodes: 0, edges: 0 }
  let before: readonly { host: unknown }[] = []
  for (const portion of portions(engram, view)) {
    t.true(
      before.every((meeting) => meeting.host === undefined),
      'those before are let go',
    )
    if ('nodes' in portion) {
      for (const { entity, host: there } of portion.nodes) {
        met.nodes.push(entity.key)
        t.is(there?.key, entity.key === 'unknown' ? undefined : entity.key)
      }
      most.nodes = Math.max(most.nodes, portion.nodes.filter((meeting) => meeting.host).length)
      before = portion.nodes
    } else {
      for (const { entity, host: there } of portion.edges) {
        met.edges.push(`${entity.from} ${entity.to}`)
        t.is(there?.to, entity.to)
      }
      most.edges = Math.max(most.edges, portion.edges.length)
      before = portion.edges
    }
  }
  t.deepEqual(met.nodes, [...keys, 'unknown'])
  t.deepEqual(
    met.edges,
    ['n00', 'n01'].flatMap((from) => keys.map((to) => `${from} ${to}`)),
  )
  t.deepEqual(most, { nodes: 4, edges: 8 })
})
