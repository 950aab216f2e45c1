// A package is read as it was signed, or not at all.
import { generateKeyPairSync } from 'node:crypto'
import { copyFile, open } from 'node:fs/promises'
import { KaryonError, openEngram, type KaryonErrorCode, type Keyring } from '../../index.ts'
import type { Seeded } from '../seed.ts'
import { check, type Check } from './check.ts'

/** Flips a bit of a copy, in the half of the file in the middle: there is what it knows, neither head nor signatures. */
export async function flippedByteIsRefused(path: string, keys: Keyring, random: Seeded): Promise<Check> {
  const copy = `${path}.flipped`
  await copyFile(path, copy)
  const [place, bytes] = await flipOneByte(copy, random)
  return refused(
    'transplant/flipped',
    `one byte of ${bytes.toLocaleString('en-US')} was changed, at ${place.toLocaleString('en-US')}`,
    'ERR_KARYON_PACKAGE_ROOT',
    () => openEngram(copy, { keys, verify: 'full' }).close(),
  )
}

async function flipOneByte(path: string, random: Seeded): Promise<readonly [place: number, bytes: number]> {
  await using file = await open(path, 'r+')
  const { size } = await file.stat()
  const place = Math.floor(size / 4) + random.below(Math.floor(size / 2))
  const byte = Buffer.alloc(1)
  await file.read(byte, 0, 1, place)
  byte[0] = (byte[0] ?? 0) ^ (1 << random.below(8))
  await file.write(byte, 0, 1, place)
  return [place, size]
}

/** Who trusts somebody else does not get it. */
export function strangersAreRefused(path: string): Check {
  const stranger = generateKeyPairSync('ed25519').publicKey
  return refused('transplant/signer', 'a keyring without its signer', 'ERR_KARYON_SIGNATURE', () =>
    openEngram(path, { keys: { 'somebody else': stranger } }).close(),
  )
}

/** Holds when the attempt throws the error with this code. */
export function refused(id: string, says: string, code: KaryonErrorCode, attempt: () => void): Check {
  return check(id, `${says}: ${code}`, missing(code, attempt))
}

function missing(code: KaryonErrorCode, attempt: () => void): string[] {
  try {
    attempt()
  } catch (error) {
    return error instanceof KaryonError && error.code === code ? [] : [`${String(error)}, not ${code}`]
  }
  return [`it was opened, and ${code} expected`]
}
