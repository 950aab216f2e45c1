import test from 'ava'
import { Kernel } from '../../ts/index.ts'
import { below, chooseSeed, seededRandom } from '../values/random.ts'
import { Child } from './child.ts'
import { freshDirectory, openFor } from './directory.ts'
import { refused } from './refused.ts'

test('a store that another process has open is refused with that process’s id', async (t) => {
  const directory = freshDirectory(t)
  const child = new Child('hold.ts', [directory])
  await child.said(1)
  const error = await refused(t, 'ERR_KARYON_OWNED', Kernel.open(directory))
  t.is<unknown, unknown>(error.details['pid'], child.process.pid)
  t.regex(error.message, new RegExp(`\\b${child.process.pid}\\b`))
  child.process.stdin?.end()
  t.is((await child.ended()).code, 0)
  const kernel = await openFor(t, directory)
  t.true(kernel.recovery.sealed)
})

test('the lock of a killed process does not block', async (t) => {
  const directory = freshDirectory(t)
  const child = new Child('hold.ts', [directory])
  await child.said(1)
  child.kill()
  t.is((await child.ended()).signal, 'SIGKILL')
  const kernel = await openFor(t, directory)
  t.false(kernel.recovery.sealed)
  t.false(kernel.recovery.created)
})

test('nothing acknowledged is lost when the process is killed at any count', async (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  const directory = freshDirectory(t)
  const acknowledged = new Set<string>()
  for (let round = 0; round < 10; round++) {
    const child = new Child('write.ts', [directory, `r${round}`])
    await child.said(1 + below(random, 120))
    child.kill()
    const { lines } = await child.ended()
    for (const line of lines) acknowledged.add(line)
    const kernel = await Kernel.open(directory)
    const { graph } = kernel
    await graph.ready('history')
    const found = new Set([...graph.nodes({ label: 'Acked' })].map(({ key }) => key))
    const lost = [...acknowledged].filter((key) => !found.has(key))
    t.deepEqual(lost, [], `KARYON_SEED=${seed}, round ${round}`)
    // All of a transaction or nothing.
    t.is(graph.degree('hub', 'out', 'HAS'), found.size)
    for (const key of found) t.is(graph.get(key)?.props['text'], key.repeat(10))
    const report = await graph.verify()
    t.is(report.digest, graph.digest())
    t.is(report.version, graph.stats().head)
    await kernel.close()
  }
  t.true(acknowledged.size >= 10)
})

for (const ending of ['begin', 'unawaited', 'exit', 'throw', 'closed', '']) {
  const what = ending || 'nothing'
  test(`a program that ends with ${what} exits by itself and loses nothing acknowledged`, async (t) => {
    const directory = freshDirectory(t)
    const { code, signal, lines, errors } = await new Child('forget.ts', [directory, ending]).ended()
    t.deepEqual([code, signal], [ending === 'throw' ? 1 : 0, null], errors)
    const kernel = await openFor(t, directory)
    t.deepEqual(
      lines.filter((key) => !kernel.graph.get(key)),
      [],
    )
    t.is(kernel.graph.get('never'), undefined)
    // A write that somebody waits for keeps the program alive until it is settled.
    if (ending === 'unawaited' || ending === 'closed') t.is(lines.at(-1), 'last')
    // One that is ended in the middle has no time to seal the log, and needs none.
    if (ending !== 'exit' && ending !== 'throw') t.true(kernel.recovery.sealed)
  })
}

const canLimit = process.platform !== 'win32'
;(canLimit ? test : test.skip)(
  'a disk that refuses to grow fails the writes that wait, and reads go on',
  async (t) => {
    const directory = freshDirectory(t)
    // Of 512 bytes: segments of the smallest length fit, one for a larger frame does not.
    const { code, lines, errors } = await new Child('fill.ts', [directory], 'ulimit -f 3000').ended()
    t.is(code, 0, errors)
    const acked = lines.filter((line) => line.startsWith('acked ')).map((line) => line.slice(6))
    t.true(acked.length > 10)
    const refusals = new Set(lines.filter((line) => line.startsWith('refused ')))
    t.true(
      [...refusals].every((line) => /ERR_KARYON_(SYNC_FAILED|IO)$/.test(line)),
      [...refusals].join(),
    )
    for (const what of ['later', 'joined', 'closed']) {
      t.true(
        lines.some((line) => new RegExp(`^${what} ERR_KARYON_(SYNC_FAILED|IO)$`).test(line)),
        `${what}: ${lines.slice(-6).join()}`,
      )
    }
    t.true(lines.includes('reads on'))
    t.is(lines.filter((line) => /^told ERR_KARYON_(SYNC_FAILED|IO)$/.test(line)).length, 1)
    const kernel = await openFor(t, directory)
    t.deepEqual(
      acked.filter((key) => !kernel.graph.get(key)),
      [],
    )
    await kernel.graph.verify()
  },
)

for (const isolation of ['inline', 'thread'] as const) {
  for (const [what, ends] of [
    ['nothing', 1],
    ['handles', 0],
    ['awaits', 0],
    ['closes', 0],
  ] as const) {
    test(`${isolation}: a supervisor at the root gives up in a program that does this about it: ${what}`, async (t) => {
      const directory = freshDirectory(t)
      const { code, lines, errors } = await new Child('give-up.ts', [directory, what, isolation]).ended()
      t.is(code, ends, errors)
      if (what === 'nothing') {
        t.regex(errors, /ERR_KARYON_RESTART_INTENSITY/)
        t.regex(errors, /root\/crew\/part/)
        t.regex(errors, /RangeError: broken for good/)
      } else t.is(errors, '')
      t.is(lines.length, what === 'nothing' || what === 'closes' ? 0 : 1)
      // It is closed in order whoever looks.
      const kernel = await openFor(t, directory)
      t.true(kernel.recovery.sealed)
      t.not(kernel.graph.get('written'), undefined)
    })
  }
}
