import test from 'ava'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { LINE_BYTES_MAX } from '../../ts/integrations/limits.ts'
import { LineCutter } from '../../ts/integrations/lines.ts'
import { refused } from '../kernel/refused.ts'
import { chooseSeed, pick, seededRandom } from '../values/random.ts'
import { cutAnywhere } from './texts.ts'

function linesOf(pieces: Iterable<unknown>): string[] {
  const cutter = new LineCutter()
  const lines: string[] = []
  for (const piece of pieces) lines.push(...cutter.cut(piece))
  lines.push(...cutter.end())
  return lines
}

test('a line ends with LF, CR LF or CR, and the last one need not', (t) => {
  t.deepEqual(linesOf(['a\nb\r\nc\rd']), ['a', 'b', 'c', 'd'])
  t.deepEqual(linesOf(['\n\r\n\r']), ['', '', ''])
  t.deepEqual(linesOf(['a\n']), ['a'])
  t.deepEqual(linesOf(['']), [])
  t.deepEqual(linesOf([]), [])
  t.deepEqual(linesOf(['a\r', '\nb', '\r', '\r\n']), ['a', 'b', ''])
})

test('lines are the same wherever a file is cut, as text and as bytes', (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  for (let round = 0; round < 300; round++) {
    const units = ['a', 'é', '\n', '\r', '\r\n', '𝒳', '\u2028', '']
    const text = Array.from({ length: 30 }, () => pick(random, units)).join('')
    const expected = text.split(/\r\n|\n|\r/)
    if (expected.at(-1) === '') expected.pop()
    const pieces = cutAnywhere(random, Buffer.from(text), 5)
    const message = `KARYON_SEED=${seed}, round ${round}`
    t.deepEqual(linesOf(pieces), expected, message)
    t.deepEqual(linesOf([...text]), expected, message)
    t.deepEqual(linesOf([text]), expected, message)
  }
})

test('bytes and text may come in turns', (t) => {
  t.deepEqual(linesOf([Buffer.from('a\nb'), 'c\nd', Buffer.from('e')]), ['a', 'bc', 'de'])
})

test('the buffer of a chunk may be filled again once the chunk was taken', (t) => {
  const buffer = Buffer.from('one')
  const cutter = new LineCutter()
  t.deepEqual([...cutter.cut(buffer)], [])
  buffer.fill('x')
  t.deepEqual([...cutter.cut(Buffer.from(' two\n'))], ['one two'])
})

test('a byte order mark at the beginning is none of the text', (t) => {
  t.deepEqual(linesOf([Buffer.from('\ufeffa\n\ufeffb')]), ['a', '\ufeffb'])
})

test('bytes that are not UTF-8 are refused where they stand', async (t) => {
  const bytes = Buffer.concat([Buffer.from('é\r\nzwölf\nab'), Buffer.of(0xff), Buffer.from('c\nd')])
  for (const size of [1, 3, bytes.length]) {
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
      bytes.subarray(at * size, (at + 1) * size),
    )
    const error = await refused(t, 'ERR_KARYON_ARGUMENT', () => linesOf(pieces))
    t.like(error.details, { line: 3, column: 3 })
  }
  const cut = await refused(t, 'ERR_KARYON_ARGUMENT', () => linesOf([Buffer.from('𝒳').subarray(0, 3)]))
  t.like(cut.details, { line: 1, column: 1 })
})

test('a line that is too long is refused before it is gathered', async (t) => {
  const piece = 'x'.repeat(LINE_BYTES_MAX / 8)
  const pieces = Array.from({ length: 8 }, () => piece)
  t.is(linesOf(['\n', ...pieces, '\n'])[1]?.length, LINE_BYTES_MAX)
  for (const more of [['x'], [Buffer.from('x')], ['x\n']]) {
    const bytes = more[0] instanceof Uint8Array
    const begun = bytes ? pieces.map((each) => Buffer.from(each)) : pieces
    const error = await refused(t, 'ERR_KARYON_VALUE_SIZE', () => linesOf(['\n', ...begun, ...more]))
    t.like(error.details, { line: 2, limit: LINE_BYTES_MAX })
  }
})

test('a line that comes in many pieces has them in their order', (t) => {
  const line = Array.from({ length: 5_000 }, (_, at) => `${at} é `).join('')
  t.deepEqual(linesOf([...line, '\n', ...line]), [line, line])
  t.deepEqual(linesOf(Array.from(Buffer.from(`${line}\n${line}`), (byte) => Buffer.of(byte))), [line, line])
})

test('a line that comes a byte or a unit at a time takes the memory of a line', (t) => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const count = 400_000
  for (const piece of [Buffer.from('x'), 'x', '𝒳'.slice(0, 1)]) {
    const cutter = new LineCutter()
    collect()
    const before = process.memoryUsage().heapUsed
    for (let at = 0; at < count; at++) if (!cutter.cut(piece).next().done) t.fail()
    collect()
    const bytes = process.memoryUsage().heapUsed - before
    t.true(bytes < 8 * count, `${bytes} bytes`)
    t.is([...cutter.end()][0]?.length, count)
  }
})

test('a chunk that is neither text nor bytes is refused', async (t) => {
  await refused(t, 'ERR_KARYON_ARGUMENT', () => linesOf([1]))
})
