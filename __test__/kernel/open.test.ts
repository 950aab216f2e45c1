import test from 'ava'
import {
  existsSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { Kernel, cell, message, type KernelOptions, type OpenOptions } from '../../ts/index.ts'
import { freshDirectory, freshKernel, openFor } from './directory.ts'
import { refused } from './refused.ts'

const FIRST = 'log/0000000001.seg'
/** Every frame begins at a multiple of this, the first one after the segment’s header. */
const SECTOR = 512

test('a directory that does not exist is made', async (t) => {
  const directory = join(freshDirectory(t), 'deep', 'below')
  const kernel = await openFor(t, directory)
  t.deepEqual(kernel.recovery, { version: 0n, created: true, checkpoint: 0n, replayed: 0, sealed: false })
})

test('opening again tells what was found', async (t) => {
  const directory = freshDirectory(t)
  const first = await Kernel.open(directory)
  await first.graph.write((tx) => tx.put('a'))
  await first.graph.write((tx) => tx.put('b'))
  await first.close()
  const second = await openFor(t, directory)
  t.deepEqual(second.recovery, { version: 2n, created: false, checkpoint: 0n, replayed: 2, sealed: true })
  t.is(second.graph.count(), 2)
})

test('opening a directory twice joins the same store, which stays open until both are closed', async (t) => {
  const directory = freshDirectory(t)
  const one = await Kernel.open(directory)
  const two = await openFor(t, join(directory, '.', '..', directory.split('/').at(-1)!))
  const { version } = await one.graph.write((tx) => tx.put('a', { labels: ['FromOne'], props: { n: 1 } }))
  await two.graph.settled(version)
  t.deepEqual(two.graph.get('a')?.labels, ['FromOne'])
  await one.close()
  await refused(t, 'ERR_KARYON_CLOSED', () => one.graph.get('a'))
  await two.graph.write((tx) => tx.patch('a', { labels: ['FromTwo'] }))
  await two.close()
  const three = await openFor(t, directory)
  t.deepEqual(three.graph.get('a')?.labels.toSorted(), ['FromOne', 'FromTwo'])
  t.true(three.recovery.sealed)
})

test('two openings of one store see the same, at every moment', async (t) => {
  const directory = freshDirectory(t)
  const one = await openFor(t, directory)
  const two = await openFor(t, directory)
  for (let n = 0; n < 50; n++) {
    const { version } = await one.graph.write((tx) => tx.put('a', { props: { n } }))
    t.is(two.graph.get('a')?.props['n'], n)
    t.is(two.graph.at(version).get('a')?.props['n'], n)
  }
  const inside = one.graph.write(() => two.graph.get('a'))
  await refused(t, 'ERR_KARYON_WRITE_OUTSIDE', inside)
})

test('a directory that was deleted and made again is another store', async (t) => {
  const directory = freshDirectory(t)
  const old = await openFor(t, directory)
  await old.graph.write((tx) => tx.put('old'))
  rmSync(directory, { recursive: true })
  const fresh = await Kernel.open(directory)
  t.is(fresh.graph.count(), 0)
  await fresh.graph.write((tx) => tx.put('acknowledged'))
  await fresh.close()
  const again = await openFor(t, directory)
  t.is(again.graph.count(), 1)
})

test('a directory that was moved while it was open is still the same store', async (t) => {
  const directory = freshDirectory(t)
  const one = await openFor(t, directory)
  await one.graph.write((tx) => tx.put('a'))
  renameSync(directory, `${directory}-moved`)
  t.teardown(() => rmSync(`${directory}-moved`, { recursive: true, force: true }))
  const two = await openFor(t, `${directory}-moved`)
  t.is(two.graph.count(), 1)
})

test('a store whose directory was moved leaves the one that took its place alone', async (t) => {
  const directory = freshDirectory(t)
  const moved = `${directory}-moved`
  t.teardown(() => rmSync(moved, { recursive: true, force: true }))
  const one = await Kernel.open(directory)
  renameSync(directory, moved)
  const two = await openFor(t, directory)
  let acknowledged = 0
  let failure = ''
  for (let n = 1; n <= 6; n++) {
    const value = new Uint8Array(700_000).fill(n)
    await two.graph.write((tx) => tx.put('a', { props: { n, value } }))
    const written = one.graph.write((tx) => tx.put('a', { props: { n: -n, value } }))
    await written.then(
      () => (acknowledged = n),
      (error: unknown) => (failure ||= String(error)),
    )
  }
  t.regex(failure, /cannot create log\/.* was moved/, 'it needs a file, and may make none there')
  await refused(t, 'ERR_KARYON_SYNC_FAILED', one.close())
  t.is((await two.graph.verify()).version, 6n)
  const again = await openFor(t, moved)
  t.is(again.graph.get('a')?.props['n'], -acknowledged)
})

test('a file where the directory should be is refused', async (t) => {
  const file = join(freshDirectory(t), 'file')
  writeFileSync(file, 'not a store')
  const error = await refused(t, 'ERR_KARYON_NOT_A_DIRECTORY', Kernel.open(file))
  t.is(error.details['path'], file)
  await refused(t, 'ERR_KARYON_IO', Kernel.open(join(file, 'below')))
  t.is(readFileSync(file, 'utf8'), 'not a store')
})

test('a directory that holds something else is refused and left as it is', async (t) => {
  const directory = freshDirectory(t)
  writeFileSync(join(directory, 'package.json'), '{}')
  const error = await refused(t, 'ERR_KARYON_NOT_A_STORE', Kernel.open(directory))
  t.is(error.details['found'], 'package.json')
  t.deepEqual(readdirSync(directory), ['package.json'])
})

test('an identity of something else is refused', async (t) => {
  const directory = freshDirectory(t)
  writeFileSync(join(directory, 'karyon'), 'a file of somebody else’s of the same name')
  await refused(t, 'ERR_KARYON_NOT_A_STORE', Kernel.open(directory))
})

test('what is no path and what are no options is refused', async (t) => {
  for (const path of ['', undefined, null, 5, {}]) {
    await refused(t, 'ERR_KARYON_ARGUMENT', Kernel.open(path as string), String(path))
  }
  const directory = freshDirectory(t)
  await refused(t, 'ERR_KARYON_ARGUMENT', Kernel.open(directory, null as never))
  for (const checkpointBytes of [-1, 0.5, Number.NaN, '5', 2 ** 60]) {
    await refused(
      t,
      'ERR_KARYON_ARGUMENT',
      Kernel.open(directory, { checkpointBytes: checkpointBytes as number }),
    )
  }
  await refused(t, 'ERR_KARYON_IO', Kernel.open(join(directory, 'a\0b')))
})

/** A store of ten commits, closed, whose files can be tampered with. */
async function written(t: Parameters<typeof freshDirectory>[0], checkpointBytes = 0): Promise<string> {
  const directory = freshDirectory(t)
  const kernel = await Kernel.open(directory, { checkpointBytes })
  for (let n = 0; n < 10; n++) {
    await kernel.graph.write((tx) => tx.put(`n${n}`, { props: { text: `${n}`.repeat(200) } }))
  }
  await kernel.close()
  return directory
}

function tamper(directory: string, file: string, change: (bytes: Buffer) => Buffer | void): void {
  const path = join(directory, file)
  const bytes = readFileSync(path)
  writeFileSync(path, change(bytes) ?? bytes)
}

function flip(bytes: Buffer, at: number): void {
  bytes[at] = (bytes[at] as number) ^ 1
}

function lastWritten(bytes: Buffer): number {
  return bytes.findLastIndex((byte) => byte !== 0)
}

test('a flipped bit in an acknowledged frame is damage, and names segment and offset', async (t) => {
  const directory = await written(t)
  tamper(directory, FIRST, (bytes) => flip(bytes, SECTOR + 100))
  const error = await refused(t, 'ERR_KARYON_DAMAGED', Kernel.open(directory))
  t.deepEqual([error.details['segment'], error.details['offset']], [1, SECTOR])
  t.is(error.details['directory'], directory)
  await refused(t, 'ERR_KARYON_DAMAGED', Kernel.open(directory), 'nothing was changed by looking')
})

test('a flipped bit in the last frame is damage too, never a torn tail', async (t) => {
  const directory = await written(t)
  tamper(directory, FIRST, (bytes) => flip(bytes, lastWritten(bytes) - 20))
  await refused(t, 'ERR_KARYON_DAMAGED', Kernel.open(directory))
})

test('a tail whose last sectors were never written is cut, kept aside and reported', async (t) => {
  const directory = freshDirectory(t)
  const kernel = await Kernel.open(directory)
  await kernel.graph.write((tx) => tx.put('kept'))
  const whole = lastWritten(readFileSync(join(directory, FIRST)))
  await kernel.graph.write((tx) => tx.put('torn', { props: { text: 'x'.repeat(4_000) } }))
  await kernel.close()
  const begins = Math.ceil(whole / 8) * 8
  tamper(directory, FIRST, (bytes) => void bytes.fill(0, Math.ceil(begins / SECTOR) * SECTOR + SECTOR))
  const again = await openFor(t, directory)
  t.deepEqual(
    [...again.graph.nodes()].map(({ key }) => key),
    ['kept'],
  )
  const { cut, sealed } = again.recovery
  t.false(sealed)
  t.is(cut?.segment, 1)
  t.true((cut?.offset ?? 0) > 0 && (cut?.bytes ?? 0) > 0)
  t.true(existsSync(join(directory, cut?.file ?? 'none')))
  await again.graph.write((tx) => tx.put('after'))
  await again.graph.verify()
})

test('a segment that was cut short is damage', async (t) => {
  const directory = await written(t)
  truncateSync(join(directory, FIRST), 100_000)
  await refused(t, 'ERR_KARYON_DAMAGED', Kernel.open(directory))
})

test('a missing segment has its own code', async (t) => {
  const directory = await written(t)
  rmSync(join(directory, FIRST))
  await refused(t, 'ERR_KARYON_SEGMENT_MISSING', Kernel.open(directory))
})

test('a log that is missing whole has its own code too', async (t) => {
  const directory = await written(t)
  rmSync(join(directory, 'log'), { recursive: true })
  const error = await refused(t, 'ERR_KARYON_SEGMENT_MISSING', Kernel.open(directory)).catch(
    (error: unknown) => error,
  )
  t.truthy(error)
})

test('a segment of another store is damage', async (t) => {
  const [one, other] = [await written(t), await written(t)]
  writeFileSync(join(one, FIRST), readFileSync(join(other, FIRST)))
  const error = await refused(t, 'ERR_KARYON_DAMAGED', Kernel.open(one))
  t.is(error.details['segment'], 1)
})

test('an identity of a newer format is refused, and so is one with a flipped bit', async (t) => {
  const directory = await written(t)
  tamper(directory, 'karyon', (bytes) => void bytes.writeUInt32LE(99, 8))
  const error = await refused(t, 'ERR_KARYON_FORMAT_NEWER', Kernel.open(directory))
  t.is(error.details['format'], 99)
  tamper(directory, 'karyon', (bytes) => void bytes.writeUInt32LE(1, 8))
  tamper(directory, 'karyon', (bytes) => flip(bytes, 20))
  await refused(t, 'ERR_KARYON_DAMAGED', Kernel.open(directory))
})

test('a lost identity beside a log is refused, not made anew', async (t) => {
  const directory = await written(t)
  rmSync(join(directory, 'karyon'))
  await refused(t, 'ERR_KARYON_DAMAGED', Kernel.open(directory))
})

test('damaged checkpoints cost time, never data', async (t) => {
  const directory = await written(t, 1)
  const images = readdirSync(join(directory, 'checkpoint'))
  t.true(images.length > 0)
  const through = await Kernel.open(directory)
  t.true(through.recovery.checkpoint > 0n)
  const digest = through.graph.digest()
  await through.close()
  for (const image of images)
    tamper(directory, `checkpoint/${image}`, (bytes) => flip(bytes, bytes.length >> 1))
  const kernel = await openFor(t, directory)
  t.is(kernel.recovery.checkpoint, 0n)
  t.is(kernel.graph.digest(), digest)
})

test('a past that is lost in the log and in the history is closed with its own code, and the present stays open', async (t) => {
  const directory = freshDirectory(t)
  const first = await Kernel.open(directory, { checkpointBytes: 1 })
  for (let n = 0; n < 100; n++) await first.graph.write((tx) => tx.put('n0', { props: { n } }))
  await first.close()
  // Before the checkpoint: the present does not need it, and the past only when the history is gone as well.
  tamper(directory, FIRST, (bytes) => flip(bytes, SECTOR + 100))
  const whole = await Kernel.open(directory)
  await whole.graph.ready('history')
  t.is(whole.graph.at(3n).get('n0')?.props['n'], 2)
  await whole.close()
  rmSync(join(directory, 'history'), { recursive: true })
  const kernel = await openFor(t, directory)
  t.true(kernel.recovery.checkpoint > 0n)
  t.is(kernel.graph.get('n0')?.props['n'], 99)
  await refused(t, 'ERR_KARYON_DAMAGED', kernel.graph.ready('history'))
  await refused(t, 'ERR_KARYON_DAMAGED', () => kernel.graph.at(3n).get('n0'))
  await refused(t, 'ERR_KARYON_DAMAGED', () => [...kernel.graph.history('n0')])
  await refused(t, 'ERR_KARYON_DAMAGED', () => [...kernel.graph.diff(1n, 3n)])
  await refused(t, 'ERR_KARYON_DAMAGED', kernel.graph.verify())
  t.is(kernel.graph.get('n0')?.props['n'], 99)
  await kernel.close()
})

test('ready resolves when every moment of the past can be asked for', async (t) => {
  const directory = await written(t, 1)
  const kernel = await openFor(t, directory)
  await kernel.graph.ready('history')
  t.is(kernel.graph.at(1n).count(), 1)
  t.is(kernel.graph.blame('n0')?.version, 1n)
  await refused(t, 'ERR_KARYON_ARGUMENT', kernel.graph.ready('future' as 'history'))
})

test('a directory can be renamed while it is closed', async (t) => {
  const directory = await written(t)
  const parent = freshDirectory(t)
  renameSync(directory, join(parent, 'moved'))
  const kernel = await openFor(t, join(parent, 'moved'))
  t.is(kernel.graph.count(), 10)
})

test('stores of one process do not see each other', async (t) => {
  const [one, two] = [await freshKernel(t), await freshKernel(t)]
  await one.graph.write((tx) => tx.put('a', { labels: ['Only'], props: { here: 1 } }))
  await two.graph.write((tx) => tx.put('b', { labels: ['There'], props: { there: 2 } }))
  t.deepEqual(
    [...one.graph.nodes()].map(({ key, labels, props }) => ({ key, labels, props })),
    [{ key: 'a', labels: ['Only'], props: { here: 1 } }],
  )
  t.deepEqual(
    [...two.graph.nodes()].map(({ key, labels, props }) => ({ key, labels, props })),
    [{ key: 'b', labels: ['There'], props: { there: 2 } }],
  )
})

test('every option that is documented is taken by open and by memory, and no other', async (t) => {
  // The compiler has every option stand here.
  const ofEvery: Required<KernelOptions> = {
    seed: 7,
    sendableCheck: true,
    memoryBytes: 1 << 30,
    trace: () => '00-abc',
    workers: { count: 1 },
  }
  const ofOpen: Required<OpenOptions> = { ...ofEvery, checkpointBytes: 1 << 20, durability: 'durable' }
  for (const [name, value] of Object.entries(ofOpen)) {
    const kernel = await openFor(t, freshDirectory(t), { [name]: value })
    await t.notThrowsAsync(kernel.close(), name)
    if (name in ofEvery) await Kernel.memory({ [name]: value }).close()
    else t.throws(() => Kernel.memory({ [name]: value }), { code: 'ERR_KARYON_ARGUMENT' })
  }
  await refused(t, 'ERR_KARYON_ARGUMENT', () => Kernel.open(freshDirectory(t), { tracer: 1 } as never))
})

test('the trace of what comes from outside is named where a store is opened', async (t) => {
  const kernel = await openFor(t, freshDirectory(t), { trace: () => '00-abc' })
  const traced = cell({
    name: 'traced',
    messages: { look: message<void, string | undefined>() },
    on: { look: (ctx) => ctx.trace },
  })
  t.is(await kernel.spawn(traced).ask('look'), '00-abc')
})
