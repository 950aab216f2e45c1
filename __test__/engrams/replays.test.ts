import test, { type ExecutionContext } from 'ava'
import { type KeyObject, generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import {
  type Engram,
  exportEngram,
  graftEngram,
  inspectEngram,
  listGrafts,
  openEngram,
  planGraft,
} from '../../ts/engrams/index.ts'
import { Kernel, type Graph, type Value } from '../../ts/index.ts'
import { freshDirectory, openFor } from '../kernel/directory.ts'
import { refused } from '../kernel/refused.ts'

const NEWS = 'acme/news'

/** Packages that one publisher has signed, by what they say. */
class Publisher {
  readonly #t: ExecutionContext
  readonly #directory: string
  readonly #privateKey: KeyObject
  readonly keys: { readonly acme: KeyObject }
  readonly graph: Graph = Kernel.memory().graph

  constructor(t: ExecutionContext) {
    this.#t = t
    this.#directory = freshDirectory(t)
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    this.#privateKey = privateKey
    this.keys = { acme: publicKey }
  }

  async publish(version: string, text: Value, parents: readonly string[] = []): Promise<Engram> {
    await this.graph.write((tx) => tx.put('sky', { labels: ['Fact'], props: { text } }))
    const path = join(this.#directory, `${version}.engram`)
    await exportEngram(this.graph, path, { name: NEWS, version, parents, signWith: [this.#privateKey] })
    const engram = openEngram(path, { keys: this.keys })
    this.#t.teardown(() => engram.close())
    return engram
  }
}

test('a replay of an older version is refused behind a newer one, whoever has signed it, also once the store was opened again', async (t) => {
  const publisher = new Publisher(t)
  const [one, two] = [await publisher.publish('1.9.0', 'grey'), await publisher.publish('1.10.0', 'blue')]
  const directory = freshDirectory(t)
  const kernel = await Kernel.open(directory)
  const graft = await graftEngram(kernel, two)
  const before = kernel.graph.digest()
  const replay = async (kernel: Kernel): Promise<void> => {
    for (const options of [{}, { name: 'another' }, { quarantine: false }] as const) {
      const { details, message } = await refused(t, 'ERR_KARYON_GRAFT', graftEngram(kernel, one, options))
      t.deepEqual(details, { engram: NEWS, version: '1.9.0', grafted: '1.10.0' })
      t.true(message.includes('1.9.0 is older than 1.10.0'))
    }
    const plan = await planGraft(kernel, one)
    await refused(t, 'ERR_KARYON_GRAFT', plan.graft())
  }
  await replay(kernel)
  await graft.promote()
  const promoted = kernel.graph.digest()
  await replay(kernel)
  t.deepEqual([kernel.graph.digest(), kernel.graph.get('sky')?.props['text']], [promoted, 'blue'])
  await kernel.close()

  const again = await openFor(t, directory)
  await replay(again)
  t.deepEqual(
    (await listGrafts(again)).map(({ engramVersion }) => engramVersion),
    ['1.10.0'],
  )
  t.not(promoted, before)
  t.is(again.graph.digest(), promoted)
  // Who means it says so, and changes nothing of the newer one.
  const meant = await graftEngram(again, one, { older: true })
  t.is(meant.view.get('sky')?.props['text'], 'blue')
  await meant.detach()
  t.is(again.graph.digest(), promoted)
})

test('a version is as old as its numbers say, not as its text does, and a package with another name is none of it', async (t) => {
  const publisher = new Publisher(t)
  const kernel = Kernel.memory()
  const order = ['0.9.9', '1.0.0-alpha.9', '1.0.0-alpha.10', '1.0.0-rc.1', '1.0.0', '1.2.0', '1.10.0']
  const engrams: Engram[] = []
  for (const version of order) engrams.push(await publisher.publish(version, version))
  for (const [at, engram] of engrams.entries()) {
    await graftEngram(kernel, engram)
    for (const older of engrams.slice(0, at)) await refused(t, 'ERR_KARYON_GRAFT', graftEngram(kernel, older))
  }
  t.is((await listGrafts(kernel)).length, order.length)
  const path = join(freshDirectory(t), 'other.engram')
  await exportEngram(publisher.graph, path, { name: `${NEWS}/other`, version: '0.0.1' })
  using other = openEngram(path)
  await t.notThrowsAsync(graftEngram(kernel, other))
})

test('the same version with other contents is another package, and does not take the place of the one that is grafted', async (t) => {
  const publisher = new Publisher(t)
  const kernel = Kernel.memory()
  const honest = await publisher.publish('1.0.0', 'blue')
  const graft = await graftEngram(kernel, honest)
  const stranger = new Publisher(t)
  const forged = await stranger.publish('1.0.0', 'grey')
  t.not(forged.root, honest.root)
  const { details } = await refused(t, 'ERR_KARYON_GRAFT', graftEngram(kernel, forged))
  t.deepEqual(details, { name: `${NEWS}@1.0.0` })
  t.is(graft.view.get('sky')?.props['text'], 'blue')
  const beside = await graftEngram(kernel, forged, { name: 'beside' })
  t.not(beside.principal, graft.principal)
  t.is(graft.view.get('sky')?.props['text'], 'blue')
  await beside.detach()
  t.is(graft.view.get('sky')?.props['text'], 'blue')
})

test('a package that somebody else has signed is refused before it is read, whatever it calls itself', async (t) => {
  const [publisher, stranger] = [new Publisher(t), new Publisher(t)]
  const honest = await publisher.publish('1.0.0', 'blue')
  const path = join(freshDirectory(t), 'a.engram')
  const { privateKey } = generateKeyPairSync('ed25519')
  for (const signWith of [[], [privateKey]]) {
    await exportEngram(stranger.graph, path, {
      name: NEWS,
      version: '2.0.0',
      parents: [honest.root],
      signWith,
    })
    await refused(t, 'ERR_KARYON_SIGNATURE', () => openEngram(path, { keys: publisher.keys }))
    t.is(inspectEngram(path, { keys: publisher.keys }).signatures.filter(({ signer }) => signer).length, 0)
  }
})

test('what is packed as a version can be grafted as one, and nothing else is one', async (t) => {
  const { graph } = Kernel.memory()
  const path = join(freshDirectory(t), 'a.engram')
  const [longest, longer] = [120, 121].map((count) => `1.0.0-a.${'x'.repeat(count)}`)
  for (const version of ['1.0.0-0.x-.7--', '0.0.0-1a.01a+01.x', '1.0.0+001', longest!]) {
    await exportEngram(graph, path, { name: NEWS, version })
    using engram = openEngram(path)
    const graft = await graftEngram(Kernel.memory(), engram)
    t.is(graft.info.engramVersion, version)
  }
  for (const version of ['1.0.0-01', '1.0.0-a.00', '01.0.0', '1.0.0-', '1.0.0-a..b', '1.0', longer!])
    await refused(t, 'ERR_KARYON_ARGUMENT', exportEngram(graph, path, { name: NEWS, version }), version)
})
