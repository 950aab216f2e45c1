// Inputs for the fuzz target: random ones, and those from which something new came, changed. The same seed makes the same ones.
import { type Random, below, pick } from '../../values/random.ts'

/** Inputs to go on from that are kept at most. */
const KEPT_MAX = 4_096
const FRESH_BYTES_MAX = 60
const SCRIPT_BYTES_MAX = 400

/** Makes inputs, and learns from what came of them. */
export class Inputs {
  readonly #random: Random
  readonly #files: Uint8Array[]
  readonly #scripts: Uint8Array[] = []
  readonly #told = new Set<string>()

  constructor(random: Random, files: readonly Uint8Array[]) {
    this.#random = random
    this.#files = [...files]
  }

  /** How many different things were told so far. */
  get told(): number {
    return this.#told.size
  }

  /** How many inputs there are to go on from. */
  get kept(): number {
    return this.#files.length + this.#scripts.length
  }

  next(): Uint8Array {
    const random = this.#random
    if (below(random, 6) === 0) return changed(random, pick(random, this.#files), pick(random, this.#files))
    if (this.#scripts.length === 0 || below(random, 3) === 0) return fresh(random)
    const [one, other] = [pick(random, this.#scripts), pick(random, this.#scripts)]
    return changed(random, one, other).subarray(0, SCRIPT_BYTES_MAX)
  }

  /** Keeps an input of which something was told that no other one told. */
  learn(input: Uint8Array, told: readonly string[]): void {
    const before = this.#told.size
    for (const words of told) this.#told.add(words)
    if (this.#told.size === before || this.kept >= KEPT_MAX) return
    if (input[0] === this.#files[0]![0] && input[7] === 0) this.#files.push(input)
    else this.#scripts.push(input)
  }
}

function fresh(random: Random): Uint8Array {
  // Most are short: of many changes one makes all others pointless.
  return Uint8Array.from({ length: 3 + below(random, 1 + below(random, FRESH_BYTES_MAX)) }, () =>
    below(random, 256),
  )
}

/** Changes an input in some places; part of another may take the place of its end. */
function changed(random: Random, input: Uint8Array, other: Uint8Array): Uint8Array {
  let bytes = Buffer.from(input)
  for (let left = 1 + below(random, 4); left > 0; left--) {
    const at = below(random, bytes.length + 1)
    switch (below(random, 6)) {
      case 0:
        if (at < bytes.length) bytes[at] = below(random, 256)
        break
      case 1:
        if (at < bytes.length) bytes[at] = bytes[at]! ^ (1 << below(random, 8))
        break
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at), fresh(random).subarray(0, 6), bytes.subarray(at)])
        break
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + below(random, 6))])
        break
      case 4:
        if (at < bytes.length) bytes[at] = pick(random, [0, 1, 0x7f, 0x80, 0xff])
        break
      default:
        if (below(random, 3) === 0)
          bytes = Buffer.concat([bytes.subarray(0, at), other.subarray(below(random, other.length))])
    }
  }
  return bytes
}
