// A large package: opened until it answers, and checked from end to end.
import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import type { Engram } from '../../ts/index.ts'
import { karyon } from '../karyon.ts'
import type { Case, Side } from '../measure.ts'
import { blobKey, filled, once, packed, putBytes } from './packages.ts'

const KIB = 1024
const MIB = 1024 * KIB
/** Of 64 KiB to 1 MiB, 544 KiB on average. */
const VALUES = 1_880
const VALUE_STEP = 64 * KIB
const VALUE_STEPS = 16
const OPENINGS = 20

const OPEN_MS_MAX = 10

export function opening(): readonly Case[] {
  const large = once(async () => {
    const kernel = await filled((graph) => putBytes(graph, VALUES, sizeOf))
    const made = await packed(kernel.graph, 'large')
    await kernel.close()
    return made
  })
  let bytes = 0
  const path = async (): Promise<string> => {
    const made = await large()
    bytes = made.bytes
    return made.path
  }
  const size = (): string => `${(bytes / 1e9).toFixed(2)} GB in ${VALUES} values of 64 KiB to 1 MiB`
  return [
    {
      name: 'engram/open',
      unit: 'ms',
      operations: OPENINGS,
      note: () => `${size()}: head and root checked, one node read by its key, closed; the file is cached`,
      ours: opened(path),
      peers: [],
      limit: OPEN_MS_MAX,
    },
    {
      name: 'engram/verify-full',
      unit: 'ms',
      operations: 1,
      note: () =>
        `${size()}: every block checked when it is opened, against SHA-256 over the file in pieces of 1 MiB; the file is cached`,
      ours: verified(path),
      peers: [hashed(path)],
      slow: true,
    },
  ]
}

function sizeOf(at: number): number {
  return VALUE_STEP * (1 + (at % VALUE_STEPS))
}

function opened(pathOf: () => Promise<string>): Side {
  let path: string
  let open: (path: string) => Engram
  let keys: string[] = []
  let read = 0
  return {
    name: 'karyon',
    async start() {
      path = await pathOf()
      open = (await karyon()).openEngram
    },
    prepare(round) {
      keys = Array.from({ length: OPENINGS }, (_, at) => blobKey(((round * OPENINGS + at) * 787) % VALUES))
      read = 0
    },
    run() {
      for (const key of keys) {
        const engram = open(path)
        read += (engram.get(key)!.props['bytes'] as Uint8Array).length
        engram.close()
      }
    },
    answer() {
      if (read < OPENINGS * VALUE_STEP) throw new Error(`only ${read} bytes were read`)
    },
  }
}

function verified(pathOf: () => Promise<string>): Side {
  let path: string
  let open: (typeof import('../../ts/index.ts'))['openEngram']
  let engram: Engram
  return {
    name: 'karyon',
    async start() {
      path = await pathOf()
      open = (await karyon()).openEngram
    },
    run() {
      engram = open(path, { verify: 'full' })
    },
    answer: () => engram.close(),
  }
}

/** What a hash of the whole costs; it knows nothing of blocks, and has nothing to compare with. */
function hashed(pathOf: () => Promise<string>): Side {
  const piece = Buffer.alloc(MIB)
  let path: string
  return {
    name: 'node:crypto, SHA-256 of the file',
    async start() {
      path = await pathOf()
    },
    run() {
      const file = openSync(path, 'r')
      const hash = createHash('sha256')
      for (let read = 0; (read = readSync(file, piece)) > 0;) hash.update(piece.subarray(0, read))
      closeSync(file)
      return hash.digest()
    },
  }
}
