import test from 'ava'
import { Instant, Kernel, type Moment } from '../../ts/index.ts'
import { microsOf } from '../../ts/time.ts'
import { freshKernel } from '../kernel/directory.ts'
import { refused } from '../kernel/refused.ts'

test('an ISO time is read to the microsecond, and without an offset it is UTC', (t) => {
  const cases: Readonly<Record<string, bigint>> = {
    '1970-01-01': 0n,
    '1970-01-01T00:00': 0n,
    '1970-01-01T00:00:01': 1_000_000n,
    '1970-01-01 00:00:01': 1_000_000n,
    '1970-01-01t00:00:01z': 1_000_000n,
    '1970-01-01T00:00:00.000001Z': 1n,
    '1970-01-01T00:00:00.1Z': 100_000n,
    '1970-01-01T00:00:00,123456789Z': 123_456n,
    '1970-01-01T01:00:00+01:00': 0n,
    '1970-01-01T01:30+0130': 0n,
    '1970-01-01T01:00+01': 0n,
    '1969-12-31T19:00:00-05:00': 0n,
    '1969-12-31T23:59:59.999999Z': -1n,
    '1969-12-31T24:00': 0n,
    '0001-01-01': -62_135_596_800_000_000n,
    '+002026-11-23': 1_795_392_000_000_000n,
    '2024-02-29T12:00:00Z': 1_709_208_000_000_000n,
    ' 2024-02-29T12:00:00Z ': 1_709_208_000_000_000n,
  }
  for (const [text, micros] of Object.entries(cases)) t.is(BigInt(microsOf(text)), micros, text)
})

test('what is no time, or never was one, is refused', async (t) => {
  const { graph } = Kernel.memory()
  for (const text of [
    ...[
      '',
      'now',
      '1',
      '2026',
      '2026-11',
      '2026-11-23T',
      '2026-11-23T1:00',
      '2026-11-23Z',
      '23.11.2026',
      '2026-11-23T10',
    ],
    ...[
      '2026-02-30',
      '2023-02-29',
      '2026-13-01',
      '2026-00-01',
      '2026-01-00',
      '2026-01-01T25:00',
      '2026-01-01T24:01',
    ],
    ...[
      '2026-01-01T10:60',
      '2026-01-01T10:00:60',
      '2026-01-01T10:00+25:00',
      'Mon Nov 23 2026',
      '+999999-01-01',
    ],
  ]) {
    await refused(t, 'ERR_KARYON_TIME', () => graph.at(text), JSON.stringify(text))
  }
  await refused(t, 'ERR_KARYON_TIME', () => graph.at(new Date(Number.NaN)))
})

test('a bare number is refused wherever a moment is taken', async (t) => {
  const { graph } = Kernel.memory()
  await graph.write((tx) => tx.put('a'))
  for (const number of [0, 1, Date.now(), -1, 0.5, Number.NaN]) {
    const moment = number as unknown as Moment
    const takers: Readonly<Record<string, () => unknown>> = {
      at: () => graph.at(moment),
      digest: () => graph.digest(moment),
      diffFrom: () => graph.diff(moment, 1n),
      diffTo: () => graph.diff(0n, moment),
      historyFrom: () => graph.history('a', { from: moment }),
      historyTo: () => graph.history('a', { to: moment }),
      revert: () => graph.revert({ principal: 'root', since: moment }),
      settled: () => graph.settled(moment),
    }
    for (const [name, take] of Object.entries(takers))
      await refused(t, 'ERR_KARYON_TIME', take, `${name}(${number})`)
  }
})

test('other things that are no moments are refused too', async (t) => {
  const { graph } = Kernel.memory()
  for (const moment of [null, {}, [], true, Symbol('s'), -1n, 2n ** 53n]) {
    await refused(t, 'ERR_KARYON_TIME', () => graph.at(moment as unknown as Moment), String(moment))
  }
})

test('an Instant writes its microseconds, also before 1970, and reads them back', (t) => {
  for (const [micros, text] of [
    [0n, '1970-01-01T00:00:00.000000Z'],
    [1n, '1970-01-01T00:00:00.000001Z'],
    [-1n, '1969-12-31T23:59:59.999999Z'],
    [-1_000_001n, '1969-12-31T23:59:58.999999Z'],
    [1_700_000_000_123_456n, '2023-11-14T22:13:20.123456Z'],
  ] as const) {
    const instant = Instant.fromMicros(micros)
    t.is(instant.toISOString(), text)
    t.is(JSON.stringify({ instant }), JSON.stringify({ instant: text }))
    t.is(BigInt(microsOf(instant.toISOString())), micros)
    t.true(instant instanceof Date && instant.getTime() === Math.floor(Number(micros) / 1000))
  }
})

test('an Instant beyond what a Date holds, or of a number, is refused', async (t) => {
  await refused(t, 'ERR_KARYON_TIME', () => Instant.fromMicros(10n ** 30n))
  await refused(t, 'ERR_KARYON_TIME', () => Instant.fromMicros(5 as unknown as bigint))
})

test('now is at least the newest commit and strictly before later ones', async (t) => {
  const kernel = await freshKernel(t)
  for (let round = 0; round < 50; round++) {
    const before = kernel.now()
    const { time } = await kernel.graph.write((tx) => tx.put('n', { props: { round } }))
    t.true(before.micros < time.micros)
    t.true(kernel.now().micros >= time.micros)
    t.is(kernel.graph.at(before).get('n')?.props['round'], round === 0 ? undefined : round - 1)
  }
})

test('times of commits rise strictly', async (t) => {
  const { graph } = Kernel.memory()
  const written = await Promise.all(
    Array.from({ length: 200 }, (_, n) => graph.write((tx) => tx.put(`n${n}`))),
  )
  for (let at = 1; at < written.length; at++) {
    t.is(written[at]!.version, written[at - 1]!.version + 1n)
    t.true(written[at]!.time.micros > written[at - 1]!.time.micros)
  }
})

test('a version, its Instant and its ISO time are the same moment', async (t) => {
  const { graph } = await freshKernel(t)
  const first = await graph.write((tx) => tx.put('n', { props: { at: 1 } }))
  await graph.write((tx) => tx.put('n', { props: { at: 2 } }))
  for (const moment of [first.version, first.time, first.time.toISOString()]) {
    using view = graph.at(moment)
    t.is(view.get('n')?.props['at'], 1)
    t.is(view.version, first.version)
    t.is(view.time.micros, first.time.micros)
  }
})

test('before the first commit there was nothing', async (t) => {
  const { graph } = await freshKernel(t)
  await graph.write((tx) => tx.put('n'))
  for (const moment of [0n, new Date(0), '1969-07-20T20:17:40Z', '0001-01-01']) {
    using view = graph.at(moment)
    t.is(view.version, 0n)
    t.is(view.get('n'), undefined)
    t.is(view.count(), 0)
  }
})

test('a commit in flight is not settled, and settled waits for it', async (t) => {
  const kernel = await freshKernel(t)
  const { graph } = kernel
  const writing = graph.write((tx) => tx.put('n'))
  await refused(t, 'ERR_KARYON_UNSETTLED', () => graph.at(1n))
  const now = kernel.now()
  await refused(t, 'ERR_KARYON_UNSETTLED', () => graph.at(now))
  await refused(t, 'ERR_KARYON_UNSETTLED', () => graph.digest(now))
  await refused(t, 'ERR_KARYON_UNSETTLED', () => [...graph.diff(0n, now)])
  await refused(t, 'ERR_KARYON_UNSETTLED', () => graph.history('n', { to: 1n }))
  await graph.settled(now)
  t.is(graph.at(now).get('n')?.key, 'n')
  await writing
})

test('a time ahead of the clock is not settled, and settled waits for the clock', async (t) => {
  const kernel = await freshKernel(t)
  const { graph } = kernel
  await refused(t, 'ERR_KARYON_UNSETTLED', () => graph.at(new Date(Date.now() + 3_600_000)))
  const soon = new Date(Date.now() + 30)
  await graph.settled(soon)
  t.is(graph.at(soon).version, 0n)
})

test('a version to come is not settled, and settled waits for it', async (t) => {
  for (const kernel of [await freshKernel(t), Kernel.memory()]) {
    const { graph } = kernel
    await refused(t, 'ERR_KARYON_UNSETTLED', () => graph.at(2n))
    const settled = graph.settled(2n)
    await graph.write((tx) => tx.put('a'))
    await graph.write((tx) => tx.put('b'))
    await settled
    t.is(graph.at(2n).count(), 2)
  }
})

test('what was answered for a time never changes, however soon the next commit follows', async (t) => {
  const kernel = Kernel.memory()
  const { graph } = kernel
  for (let round = 0; round < 200; round++) {
    const asked = kernel.now()
    const before = graph.at(asked).version
    await graph.write((tx) => tx.put(`n${round}`))
    t.is(graph.at(asked).version, before)
  }
})

test('a time that a setter has moved stands for the moment that it says', async (t) => {
  const kernel = await freshKernel(t)
  const { graph } = kernel
  await graph.write((tx) => tx.put('sky', { props: { text: 'blue' } }))
  const before = kernel.now()
  await new Promise((resolve) => setTimeout(resolve, 20))
  await graph.write((tx) => tx.put('sky', { props: { text: 'green' } }))
  const moved = kernel.now()
  moved.setTime(before.getTime() + 1)
  t.is(graph.at(moved).get('sky')?.props['text'], graph.at(moved.toISOString()).get('sky')?.props['text'])
  t.is(graph.at(moved).get('sky')?.props['text'], 'blue')
})
