// How many nodes are read at once: as many as fit in little memory, whatever they hold.
import type { Node } from '../graph/types.ts'
import type { Value } from '../values/types.ts'
import { Encoded } from './encoded.ts'

const NODES_MAX = 256
const NODES_FIRST = 4
/** What a batch may weigh, in bytes, as far as those before it tell. */
const BYTES_MAX: number = 4 * 1024 * 1024
/** What a value weighs beside its text or bytes. */
const VALUE_BYTES = 16

/** Learns from each batch how large the next one may be. */
export class Batches {
  size: number = NODES_FIRST

  learn(batch: readonly (Node | undefined)[]): void {
    let heaviest = 1
    for (const node of batch) if (node) heaviest = Math.max(heaviest, weightOf(node))
    const fitting = Math.max(1, Math.floor(BYTES_MAX / heaviest))
    this.size = Math.min(NODES_MAX, fitting, this.size * 4)
  }
}

function weightOf({ props, intervals = {} }: Node): number {
  let weight = VALUE_BYTES
  for (const name of Object.keys(props)) weight += valueWeight(props[name])
  for (const held of Object.values(intervals)) for (const { value } of held) weight += valueWeight(value)
  return weight
}

function valueWeight(value: Value | undefined): number {
  if (typeof value === 'string') return VALUE_BYTES + value.length
  if (typeof value !== 'object' || value === null) return VALUE_BYTES
  if (value instanceof Encoded) return VALUE_BYTES + value.length
  if (ArrayBuffer.isView(value)) return VALUE_BYTES + value.byteLength
  let weight = VALUE_BYTES
  for (const item of Object.values(value) as (Value | undefined)[]) weight += valueWeight(item)
  return weight
}
