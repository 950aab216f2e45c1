// Who vouches for a package: Ed25519 signatures of its root.
import { KeyObject, createPublicKey, sign, verify } from 'node:crypto'
import { KaryonError, badArgument } from '../errors.ts'
import { SIGNATURES_MAX, checkLimit } from './limits.ts'
import { malformed } from './refusals.ts'
import type { Keyring, Signature } from './types.ts'

const KEY_BYTES = 32
const SIGNATURE_BYTES = 64
const ENTRY_BYTES: number = KEY_BYTES + SIGNATURE_BYTES
/** Bytes of their count. */
export const COUNT_BYTES = 4
/** In front of the root, so that a signature of a package is none of anything else. */
const PURPOSE = Buffer.from('karyon engram 1\0', 'latin1')

/** The 32 bytes of an Ed25519 key; of a private one those of its public half. */
function rawKey(key: KeyObject): Buffer {
  if (!(key instanceof KeyObject) || key.asymmetricKeyType !== 'ed25519') {
    throw badArgument('a key is an Ed25519 KeyObject; make one with crypto.generateKeyPairSync("ed25519")')
  }
  const known = key.type === 'private' ? createPublicKey(key) : key
  return Buffer.from(known.export({ format: 'jwk' }).x as string, 'base64url')
}

/** Refuses what cannot sign. */
export function checkSigners(keys: readonly KeyObject[]): void {
  checkLimit('the number of signatures', keys.length, SIGNATURES_MAX)
  for (const key of keys) {
    rawKey(key)
    if (key.type !== 'private') throw badArgument('a package is signed with private keys')
  }
}

/** The signatures of a root, ascending by key, each key once. */
export function signed(root: Buffer, keys: readonly KeyObject[]): Buffer {
  const message = Buffer.concat([PURPOSE, root])
  const entries = new Map(
    keys.map((key) => {
      const raw = rawKey(key)
      return [raw.toString('hex'), Buffer.concat([raw, sign(null, message, key)])] as const
    }),
  )
  return encoded(entries)
}

/**
 * The signatures of one package of which two have some: `kept`, unless `more` has a valid one of somebody else; then the valid ones of both. Each is
 * a count and signatures, as they stand in a package.
 */
export function joinedSignatures(kept: Buffer, more: Buffer, root: Buffer): Buffer {
  const valid = new Map([...validIn(kept, root), ...validIn(more, root)])
  const known = new Set(validIn(kept, root).map(([key]) => key))
  if ([...valid.keys()].every((key) => known.has(key))) return kept
  return encoded(valid)
}

function validIn(bytes: Buffer, root: Buffer): [key: string, entry: Buffer][] {
  return readSignatures(bytes, root, new Map()).flatMap(({ key, valid }, at) => {
    const start = COUNT_BYTES + at * ENTRY_BYTES
    return valid ? [[key, bytes.subarray(start, start + ENTRY_BYTES)]] : []
  })
}

function encoded(entries: ReadonlyMap<string, Buffer>): Buffer {
  checkLimit('the number of signatures', entries.size, SIGNATURES_MAX)
  const count = Buffer.alloc(COUNT_BYTES)
  count.writeUInt32LE(entries.size)
  const sorted = [...entries].toSorted(([a], [b]) => (a < b ? -1 : 1))
  return Buffer.concat([count, ...sorted.map(([, entry]) => entry)])
}

/** How many bytes so many signatures are. Throws when there are too many. */
export function signatureBytes(count: number): number {
  checkLimit('the number of signatures', count, SIGNATURES_MAX)
  return COUNT_BYTES + count * ENTRY_BYTES
}

/** Names by key, in hex. */
export function namesOf(keys: Keyring): Map<string, string> {
  if (typeof keys !== 'object' || keys === null || Array.isArray(keys)) {
    throw badArgument('keys are public keys by the name of who they belong to')
  }
  return new Map(Object.entries(keys).map(([name, key]) => [rawKey(key).toString('hex'), name]))
}

/** Reads signatures, checks each, and names those who are known. */
export function readSignatures(bytes: Buffer, root: Buffer, names: ReadonlyMap<string, string>): Signature[] {
  const message = Buffer.concat([PURPOSE, root])
  const read: Signature[] = []
  for (let at = COUNT_BYTES; at < bytes.length; at += ENTRY_BYTES) {
    const raw = bytes.subarray(at, at + KEY_BYTES)
    const key = raw.toString('hex')
    if (read.length > 0 && read.at(-1)!.key >= key) throw malformed('its signatures are out of order')
    const valid = isSigned(message, raw, bytes.subarray(at + KEY_BYTES, at + ENTRY_BYTES))
    const signer = names.get(key)
    read.push({ key, valid, ...(signer !== undefined && { signer }) })
  }
  return read
}

function isSigned(message: Buffer, raw: Buffer, signature: Buffer): boolean {
  try {
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') }
    return verify(null, message, createPublicKey({ key: jwk, format: 'jwk' }), signature)
  } catch {
    // Not every 32 bytes are a key.
    return false
  }
}

/** Refuses a package with a wrong signature, and where keys are given one that nobody of theirs has signed. */
export function checkSignatures(signatures: readonly Signature[], trusted: Keyring | undefined): void {
  const wrong = signatures.find(({ valid }) => !valid)
  if (wrong) {
    const message = `the signature with the key ${wrong.key} is not one of this package; get it again from who made it`
    throw new KaryonError('ERR_KARYON_SIGNATURE', message, { details: { key: wrong.key } })
  }
  if (trusted === undefined || signatures.some(({ signer }) => signer !== undefined)) return
  const found = signatures.length === 0 ? 'nobody' : 'somebody else'
  const wanted = Object.keys(trusted).join(', ') || 'no keys'
  const message = `${found} has signed the package, and none of ${wanted}; add the signer’s key, if it is trusted`
  throw new KaryonError('ERR_KARYON_SIGNATURE', message, {
    details: { keys: signatures.map(({ key }) => key) },
  })
}
