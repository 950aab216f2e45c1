import test from 'ava'
import {
  type KeyObject,
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
} from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { exportEngram, inspectEngram, openEngram } from '../../ts/engrams/index.ts'
import { Kernel } from '../../ts/index.ts'
import { freshDirectory } from '../kernel/directory.ts'
import { refused } from '../kernel/refused.ts'
import { bodyOf } from './forge.ts'

const ABOUT = { name: 'world', version: '1.0.0' }

interface Pair {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

/** A key that is the same in every run. */
function pairOf(name: string): Pair {
  const seed = createHash('sha256').update(name).digest()
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed])
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  return { privateKey, publicKey: createPublicKey(privateKey) }
}

const [alice, bob, eve] = ['alice', 'bob', 'eve'].map(pairOf) as [Pair, Pair, Pair]

async function packed(directory: string, ...signers: Pair[]): Promise<string> {
  const { graph } = Kernel.memory()
  await graph.write((tx) => tx.put('a', { props: { n: 1 } }))
  const path = join(directory, 'a.engram')
  const signWith = signers.map(({ privateKey }) => privateKey)
  await exportEngram(graph, path, { ...ABOUT, provenance: false, signWith })
  return path
}

test('names of signers come from the keyring, never from the package', async (t) => {
  const path = await packed(freshDirectory(t), alice, bob)
  const keys = { 'somebody I know': bob.publicKey }
  const { signatures } = inspectEngram(path, { keys })
  t.is(signatures.length, 2)
  t.true(signatures.every(({ valid }) => valid))
  const raw = bob.publicKey.export({ format: 'jwk' }).x!
  const key = Buffer.from(raw, 'base64url').toString('hex')
  t.deepEqual(
    signatures.filter(({ signer }) => signer !== undefined),
    [{ key, valid: true, signer: 'somebody I know' }],
  )
  t.true(inspectEngram(path).signatures.every(({ signer }) => signer === undefined))
})

test('with keys, one of them must have signed', async (t) => {
  const directory = freshDirectory(t)
  const path = await packed(directory, alice, bob)
  for (const keys of [{ alice: alice.publicKey }, { eve: eve.publicKey, bob: bob.publicKey }]) {
    openEngram(path, { keys }).close()
  }
  t.notThrows(() => openEngram(path).close(), 'without keys anybody may have')
  await refused(
    t,
    'ERR_KARYON_SIGNATURE',
    () => openEngram(path, { keys: { eve: eve.publicKey } }),
    'a stranger',
  )
  await refused(t, 'ERR_KARYON_SIGNATURE', () => openEngram(path, { keys: {} }), 'nobody is trusted')
  const unsigned = await packed(directory)
  t.notThrows(() => openEngram(unsigned).close())
  await refused(
    t,
    'ERR_KARYON_SIGNATURE',
    () => openEngram(unsigned, { keys: { eve: eve.publicKey } }),
    'unsigned',
  )
})

test('a wrong signature is told, and refused whoever else has signed', async (t) => {
  const path = await packed(freshDirectory(t), alice, bob)
  const bytes = readFileSync(path)
  const last = bytes.length - 1
  bytes[last] = bytes[last]! ^ 1
  writeFileSync(path, bytes)
  const { signatures } = inspectEngram(path)
  t.deepEqual(
    signatures.map(({ valid }) => valid),
    [true, false],
  )
  const keys = { alice: alice.publicKey, bob: bob.publicKey }
  await refused(t, 'ERR_KARYON_SIGNATURE', () => openEngram(path, { keys }))
  await refused(t, 'ERR_KARYON_SIGNATURE', () => openEngram(path))
})

test('the signature of another package, or of anything but a package, is none of this one', async (t) => {
  const directory = freshDirectory(t)
  const path = await packed(directory, alice)
  const bytes = readFileSync(path)
  const root = Buffer.from(inspectEngram(path).root, 'hex')
  const replace = (message: Buffer): void => {
    const signature = sign(null, message, alice.privateKey)
    const forged = Buffer.from(bytes)
    signature.copy(forged, bytes.length - 64)
    writeFileSync(path, forged)
  }
  replace(Buffer.concat([Buffer.from('karyon engram 1\0'), root]))
  t.notThrows(() => openEngram(path, { keys: { alice: alice.publicKey } }).close())
  for (const message of [root, Buffer.concat([Buffer.from('karyon engram 2\0'), root]), Buffer.alloc(32)]) {
    replace(message)
    await refused(t, 'ERR_KARYON_SIGNATURE', () => openEngram(path, { keys: { alice: alice.publicKey } }))
  }
})

test('signatures are no part of the root, each key has one, and their order is theirs', async (t) => {
  const directory = freshDirectory(t)
  const unsigned = inspectEngram(await packed(directory))
  const one = readFileSync(await packed(directory, alice, bob, alice))
  const other = readFileSync(await packed(directory, bob, alice))
  t.deepEqual(one, other)
  const path = join(directory, 'a.engram')
  t.is(inspectEngram(path).root, unsigned.root)
  t.is(inspectEngram(path).signatures.length, 2)
  // In another order, twice, and more than there may be.
  const body = one.subarray(0, one.length - 2 * 96 - 4)
  const [a, b] = [one.subarray(-192, -96), one.subarray(-96)]
  const counted = (...entries: Buffer[]): Buffer => {
    const count = Buffer.alloc(4)
    count.writeUInt32LE(entries.length)
    return Buffer.concat([body, count, ...entries])
  }
  writeFileSync(path, counted(a, b))
  t.is(inspectEngram(path).signatures.length, 2)
  for (const entries of [
    [b, a],
    [a, a],
  ]) {
    writeFileSync(path, counted(...entries))
    await refused(t, 'ERR_KARYON_PACKAGE', () => inspectEngram(path))
  }
  writeFileSync(path, counted(...Array.from({ length: 65 }, () => a)))
  await refused(t, 'ERR_KARYON_PACKAGE_LIMIT', () => inspectEngram(path))
  t.true(body.length > bodyOf(path).length)
})

test('what is no Ed25519 key neither signs nor is trusted', async (t) => {
  const directory = freshDirectory(t)
  const { graph } = Kernel.memory()
  const path = join(directory, 'a.engram')
  const rsa = generateKeyPairSync('x25519')
  for (const signWith of [
    [alice.publicKey],
    [rsa.privateKey],
    ['key' as unknown as KeyObject],
    'key' as unknown as KeyObject[],
  ]) {
    await refused(t, 'ERR_KARYON_ARGUMENT', exportEngram(graph, path, { ...ABOUT, signWith }))
  }
  const good = await packed(directory, alice)
  for (const keys of [{ rsa: rsa.publicKey }, { alice: 'alice' as unknown as KeyObject }]) {
    await refused(t, 'ERR_KARYON_ARGUMENT', () => openEngram(good, { keys }))
  }
  t.is(
    openEngram(good, { keys: { alice: alice.privateKey } }).signatures[0]?.signer,
    'alice',
    'a private key has a public half',
  )
})
