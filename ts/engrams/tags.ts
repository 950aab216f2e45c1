// Tags of keys: 128 bits each, the same on every machine.
import { checked } from '../errors.ts'
import { answer, answerBytes, putWritten } from '../exchange.ts'
import { native } from '../native.ts'
import { Writer } from '../values/writer.ts'

const asked = new Writer()

/**
 * XXH3-128 of keys, in UTF-8: of each the lower 64 bits, then the upper ones. Two keys with the same tag are not met in practice, unless somebody
 * who knows the seed looks for them.
 *
 * Cost: one crossing, and some 100 ns a key.
 */
export function tagsOf(keys: readonly string[], seed = 0n): BigUint64Array {
  asked.length = 0
  asked.texts(keys)
  const [low, high] = [Number(BigInt.asUintN(32, seed)), Number(BigInt.asUintN(32, seed >> 32n))]
  return new BigUint64Array(answerBytes(checked(native.tags(putWritten(asked), low, high))))
}

/** Numbers of 32 bits in a tag. */
export const TAG_WORDS = 4

/** The tag of one key without a seed, in numbers of 32 bits, the lowest first, into `words`. Cost: half of `tagsOf`. */
export function putTagOf(key: string, words: Uint32Array): void {
  asked.length = 0
  asked.varint(1)
  asked.text(key)
  const bytes = answer(checked(native.tags(putWritten(asked), 0, 0)))
  for (let word = 0; word < TAG_WORDS; word++) {
    words[word] = bytes.byte() | (bytes.byte() << 8) | (bytes.byte() << 16) | (bytes.byte() << 24)
  }
}
