import test from 'ava'
import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { exportEngram } from '../../ts/engrams/index.ts'
import { Kernel, type Node, type Target } from '../../ts/index.ts'
import { Child } from '../kernel/child.ts'
import { freshDirectory } from '../kernel/directory.ts'
import { chooseSeed, seededRandom } from '../values/random.ts'
import { MOMENTS, heldAt, randomKnowledge, teach } from './knowledge.ts'
import { askedOf, digestsOf, expected } from './questions.ts'

interface Said {
  readonly step: string
  readonly said: unknown
}

test('what one process packs another one grafts into an empty store, answers all questions alike on every step, and takes out again', async (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const knowledge = randomKnowledge(seededRandom(seed), 24)
  const { graph } = Kernel.memory()
  await teach(graph, knowledge)
  const asked = askedOf(knowledge)

  const directory = freshDirectory(t)
  const [path, key, questions] = ['a.engram', 'key.pem', 'asked.json'].map((name) =>
    join(directory, name),
  ) as [string, string, string]
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  writeFileSync(key, publicKey.export({ type: 'spki', format: 'pem' }))
  writeFileSync(questions, JSON.stringify({ ...asked, moments: MOMENTS }))
  const { manifest, root } = await exportEngram(graph, path, {
    name: 'world',
    version: '1.0.0',
    signWith: [privateKey],
  })
  const { code, lines, errors } = await new Child('../../engrams/programs/graft.ts', [
    join(directory, 'store'),
    path,
    key,
    questions,
  ]).ended()
  t.is(code, 0, errors)
  const said = new Map(
    lines.map((line): [string, unknown] => {
      const { step, said } = JSON.parse(line) as Said
      return [step, said]
    }),
  )

  const right = digestsOf(expected(knowledge, asked))
  t.true(Object.keys(right).length > 1_000)
  const signed = { key: rawOf(publicKey.export({ format: 'jwk' }).x!), valid: true, signer: 'teacher' }
  t.deepEqual(said.get('inspect'), { counts: manifest.counts, signatures: [signed], root })
  t.deepEqual(said.get('open'), right)
  const targets: Target[] = [...asked.keys, ...asked.edges]
  const sources = targets.map((target) =>
    [undefined, ...asked.names].map((name) => {
      const blame = graph.blame(target, name)
      return blame ? `${blame.time.toISOString()} ${blame.principal}` : null
    }),
  )
  t.deepEqual(said.get('sources'), sources)
  t.deepEqual(said.get('plan'), {
    counts: { added: manifest.counts.facts, same: 0, conflicting: 0 },
    digest: true,
  })

  // A graft has one node more, which says what was grafted: where all nodes are asked for, it is told as well.
  const { nodes: _, count: __, ...others } = right
  t.like(said.get('graft'), others)
  const { principal } = said.get('grafted') as { principal: string }
  t.regex(principal, /^root\/engram world 1\.0\.0 /)
  t.deepEqual(said.get('grafted'), { writers: [principal], principal, count: 0 })
  t.deepEqual(said.get('promote'), right)
  t.deepEqual(said.get('promoted'), { writers: [principal], principal })
  for (const moment of MOMENTS) {
    t.deepEqual(said.get(moment), digestsOf(expected(heldAt(knowledge, moment), asked)), moment)
  }
  t.deepEqual(said.get('again'), right)
  t.deepEqual(said.get('detached'), { kept: [], digest: true, forks: [] })
})

function rawOf(x: string): string {
  return Buffer.from(x, 'base64url').toString('hex')
}

test('the knowledge that is made up has one of everything', (t) => {
  const kinds = new Set<string>()
  const random = seededRandom(7)
  let [alone, parallel, loops, temporal, sometimes] = [0, 0, 0, 0, 0]
  for (let world = 0; world < 8; world++) {
    const { nodes, edges } = randomKnowledge(random, 24)
    for (const { props, intervals } of [...nodes.values(), ...edges] as Node[]) {
      for (const value of Object.values(props)) kinds.add(Object.prototype.toString.call(value))
      if (intervals) temporal++
    }
    alone += [...nodes.keys()].filter((key) =>
      edges.every(({ from, to }) => from !== key && to !== key),
    ).length
    parallel += edges.filter(({ from, type, to }, at) => {
      const before = edges[at - 1]
      return before?.from === from && before.type === type && before.to === to
    }).length
    loops += edges.filter(({ from, to }) => from === to).length
    sometimes += edges.filter(({ valid }) => valid).length
  }
  const types = [
    'Null',
    'Boolean',
    'Number',
    'BigInt',
    'String',
    'Uint8Array',
    'Float32Array',
    'Date',
    'Array',
    'Object',
  ]
  t.deepEqual([...kinds].toSorted(), types.map((type) => `[object ${type}]`).toSorted())
  for (const count of [alone, parallel, loops, temporal, sometimes]) t.true(count > 3, `${count}`)
})
