import test from 'ava'
import { answers, BLOB_BYTES_MAX, BlobReader, type BlobText } from '../../ts/demo/blobs.ts'
import { treeOf } from '../../ts/demo/history.ts'
import { scratchDirectory, scriptedRepository } from './scratch.ts'

async function parse(pieces: readonly Buffer[]): Promise<BlobText[]> {
  async function* stream(): AsyncGenerator<Buffer> {
    yield* pieces
  }
  const texts: BlobText[] = []
  for await (const text of answers(stream())) texts.push(text)
  return texts
}

const HASH = '0'.repeat(40)
const OUTPUT = Buffer.concat([
  Buffer.from(`${HASH} blob 6\nhällo\n`),
  Buffer.from(`${HASH} missing\n${HASH} blob 0\n\n${HASH} blob 3\na\0b\n`),
  Buffer.from(
    `${HASH} blob ${BLOB_BYTES_MAX + 1}\n${'x'.repeat(BLOB_BYTES_MAX + 1)}\n${HASH} blob 2\n\n\n\n`,
  ),
])
const TEXTS: readonly BlobText[] = [
  { text: 'hällo' },
  { skipped: 'missing' },
  { text: '' },
  { skipped: 'binary' },
  { skipped: 'large' },
  { text: '\n\n' },
]

test('answers are the same however the stream is cut into pieces', async (t) => {
  t.deepEqual(await parse([OUTPUT]), TEXTS)
  for (const size of [1, 7, 64, 65_536]) {
    const pieces = Array.from({ length: Math.ceil(OUTPUT.length / size) }, (_, at) =>
      OUTPUT.subarray(at * size, (at + 1) * size),
    )
    t.deepEqual(await parse(pieces), TEXTS, `pieces of ${size} bytes`)
  }
})

test('blobs are read by hash, in the order of the questions', async (t) => {
  const repository = await scratchDirectory(t)
  await scriptedRepository(repository, [
    {
      mark: 1,
      changes: [
        ['M 100644', 'a', 'first'],
        ['M 100644', 'b', 'second'],
      ],
    },
  ])
  const tree = await treeOf(repository, 'HEAD')
  using blobs = new BlobReader(repository)
  const asked = [tree.get('b')?.object ?? '', HASH, tree.get('a')?.object ?? ''].map((object) =>
    blobs.read(object),
  )
  t.deepEqual(await Promise.all(asked), [{ text: 'second' }, { skipped: 'missing' }, { text: 'first' }])
})

test('a closed reader refuses what was asked and what is asked later', async (t) => {
  const repository = await scratchDirectory(t)
  await scriptedRepository(repository, [{ mark: 1, changes: [] }])
  const blobs = new BlobReader(repository)
  const pending = blobs.read(HASH)
  blobs[Symbol.dispose]()
  await t.throwsAsync(() => pending, { message: /closed/ })
  await t.throwsAsync(() => blobs.read(HASH), { message: /closed/ })
})
