// Short texts of ASCII: what a call into the native side costs is more than they do.

/** The text of some bytes; `undefined` where not all are ASCII. Eight characters at a time: each string that is put together is one more to collect. */
export function asciiOf(bytes: Uint8Array, start: number, end: number): string | undefined {
  let text = ''
  let at = start
  for (; end - at >= 8; at += 8) {
    const [a, b, c, d] = [bytes[at]!, bytes[at + 1]!, bytes[at + 2]!, bytes[at + 3]!]
    const [e, f, g, h] = [bytes[at + 4]!, bytes[at + 5]!, bytes[at + 6]!, bytes[at + 7]!]
    if ((a | b | c | d | e | f | g | h) >= 0x80) return undefined
    text += String.fromCharCode(a, b, c, d, e, f, g, h)
  }
  for (; end - at >= 3; at += 3) {
    const [a, b, c] = [bytes[at]!, bytes[at + 1]!, bytes[at + 2]!]
    if ((a | b | c) >= 0x80) return undefined
    text += String.fromCharCode(a, b, c)
  }
  for (; at < end; at++) {
    const unit = bytes[at]!
    if (unit >= 0x80) return undefined
    text += String.fromCharCode(unit)
  }
  return text
}
