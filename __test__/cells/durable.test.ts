// Durable cells: state and consumed messages in the commit of the turn.
import test from 'ava'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kernel, cell, message, type KaryonError } from '../../ts/index.ts'

const code = (error: KaryonError): string => error.code

function tally(log: string[] = []) {
  return cell({
    name: 'tally',
    messages: {
      add: message<number, number>(),
      sum: message<void, number>(),
      fail: message<number>(),
      late: message<number>(),
      odd: message(),
    },
    persist: true,
    grants: { read: ['Fact'], write: ['Fact'] },
    init: () => {
      log.push('init')
      return { sum: 0, seen: [] as number[] } as { sum: number; seen: unknown[] }
    },
    resume: (_ctx, saved) => void log.push(`resume ${saved.sum}`),
    on: {
      add: (ctx, n) => {
        ctx.tx.put(`fact ${n}`, { labels: ['Fact'] })
        ctx.state.seen.push(n)
        return (ctx.state.sum += n)
      },
      sum: (ctx) => ctx.state.sum,
      fail: (ctx, n) => {
        ctx.state.sum += n
        ctx.tx.put(`fact ${n}`, { labels: ['Fact'] })
        throw new Error('broken')
      },
      late: async (ctx, n) => {
        await ctx.graph.settled(ctx.graph.stats().head).catch(() => {})
        ctx.state.sum += n
      },
      odd: (ctx) => void ctx.state.seen.push(() => {}),
    },
  })
}

async function folder(t: { teardown(act: () => Promise<void>): void }): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'karyon-durable-'))
  t.teardown(() => rm(path, { recursive: true, force: true }))
  return join(path, 'store')
}

test('after a crash of the cell the state is that of the last committed turn', async (t) => {
  const kernel = Kernel.memory()
  const log: string[] = []
  const ref = kernel.spawn(tally(log))
  await ref.ask('add', 3)
  await ref.ask('add', 4)
  await ref.ask('fail', 100).catch(() => {})
  t.is(await ref.ask('sum'), 7)
  t.deepEqual(log, ['init', 'resume 7'])
  t.is(kernel.graph.get('fact 100'), undefined)
  t.deepEqual(kernel.graph.get('cell:root/tally')?.props, {
    saves: 2,
    state: { sum: 7, seen: [3, 4] },
  })
  await kernel.close()
})

test('after a crash of the program too, and what was written with it is there or not with it', async (t) => {
  const path = await folder(t)
  const log: string[] = []
  const first = await Kernel.open(path)
  const ref = first.spawn(tally(log), { name: 'a' })
  await ref.ask('add', 1)
  const { version } = await first.graph.write((tx) => tx.put('between'))
  await ref.ask('add', 2)
  await first.close()
  const second = await Kernel.open(path)
  t.is(await second.spawn(tally(log), { name: 'a' }).ask('sum'), 3)
  t.is(await second.spawn(tally(log), { name: 'b' }).ask('sum'), 0, 'another path is another cell')
  await second.close()
  await Kernel.restore(path, `${path}-before`, { at: version })
  const before = await Kernel.open(`${path}-before`)
  t.is(await before.spawn(tally(log), { name: 'a' }).ask('sum'), 1)
  t.is(before.graph.get('fact 2'), undefined)
  await before.close()
  t.deepEqual(log, ['init', 'resume 3', 'init', 'resume 1'])
})

test('a turn that changes nothing writes nothing', async (t) => {
  const kernel = Kernel.memory()
  const ref = kernel.spawn(tally())
  await ref.ask('add', 1)
  const { head } = kernel.graph.stats()
  for (let n = 0; n < 3; n++) await ref.ask('sum')
  t.is(kernel.graph.stats().head, head)
  await kernel.close()
})

test('a message with a number is not put aside: the next of its source would pass it', async (t) => {
  const kernel = Kernel.memory()
  const ref = kernel.spawn(
    cell({
      name: 'picky',
      messages: { job: message<void, number>(), plain: message<void, number>(), open: message() },
      persist: true,
      init: () => ({ jobs: 0 }),
      on: {
        job: (ctx) => ctx.defer() as never,
        plain: (ctx) => ctx.defer() as never,
        open: (ctx) => ctx.become({ plain: (turn) => ++turn.state.jobs }),
      },
    }),
  )
  const once = { source: 'a', number: 1 }
  const failed = await t.throwsAsync(ref.ask('job', undefined, { once }), { code: 'ERR_KARYON_CELL_FAILED' })
  t.like(failed?.cause, { code: 'ERR_KARYON_ARGUMENT' })
  const plain = ref.ask('plain')
  ref.send('open')
  t.is(await plain, 1, 'one without is')
  await kernel.close()
})

test('a message with a number is applied once, whoever sends it again and whatever crashed', async (t) => {
  const path = await folder(t)
  const first = await Kernel.open(path)
  const ref = first.spawn(tally())
  const once = (source: string, number: number) => ({ once: { source, number } })
  t.is(await ref.ask('add', 1, once('a', 1)), 1)
  t.is(await ref.ask('add', 1, once('a', 1)).catch(code as never), 'ERR_KARYON_CONSUMED' as never)
  await ref.deliver('add', 1, once('a', 1))
  t.is(await ref.ask('add', 10, once('b', 1)), 11, 'each source counts for itself')
  await ref.ask('fail', 100, once('a', 2)).catch(() => {})
  t.is(await ref.ask('add', 5, once('a', 2)), 16, 'what was not committed is not consumed')
  await first.close()
  const second = await Kernel.open(path)
  const again = second.spawn(tally())
  const error: KaryonError = await again.ask('add', 5, once('a', 2)).catch((failure) => failure)
  t.deepEqual([error.code, error.details['consumed']], ['ERR_KARYON_CONSUMED', 2])
  t.is(await again.ask('add', 1, once('a', 7)), 17)
  t.is(await again.ask('sum', undefined, once('c', 1)), 17, 'also what changes nothing')
  t.is(await again.ask('sum', undefined, once('c', 1)).catch(code as never), 'ERR_KARYON_CONSUMED' as never)
  const { sent, ended, failed } = second.stats().cells
  t.deepEqual([sent, ended, failed], [4, 4, 0], 'each has its outcome')
  await second.close()
})

test('a state that is no value fails its turn, and the one before it stays', async (t) => {
  const kernel = Kernel.memory()
  const ref = kernel.spawn(tally())
  await ref.ask('add', 1)
  const error: KaryonError = await ref.ask('odd').catch((failure) => failure)
  t.is((error.cause as KaryonError).code, 'ERR_KARYON_VALUE_TYPE')
  t.is(await ref.ask('sum'), 1)
  await kernel.close()
})

test('no other cell may read or write what a durable cell keeps', async (t) => {
  const kernel = Kernel.memory()
  await kernel.spawn(tally(), { name: 'a' }).ask('add', 1)
  const thief = cell({
    name: 'thief',
    messages: { read: message<string, number>(), write: message<string>() },
    persist: true,
    grants: { read: ['Fact'], write: ['Fact'] },
    init: () => 0,
    on: {
      read: (ctx, key) => Number(ctx.tx.get(key) !== undefined),
      write: (ctx, key) => ctx.tx.patch(key, { props: { state: 5 } }),
    },
  })
  const ref = kernel.spawn(thief)
  for (const act of ['read', 'write'] as const) {
    const error: KaryonError = await ref.ask(act, 'cell:root/a').catch((failure) => failure)
    t.is((error.cause as KaryonError).code, 'ERR_KARYON_ACCESS', act)
  }
  await kernel.close()
})

test('only durable cells take numbered messages, and only whole numbers of a named source', async (t) => {
  const kernel = Kernel.memory()
  const plain = kernel.spawn(cell({ name: 'plain', messages: { go: message() }, on: { go: () => {} } }))
  const once = { source: 'a', number: 1 }
  await t.throwsAsync(plain.ask('go', undefined, { once }), { code: 'ERR_KARYON_ARGUMENT' })
  const durable = kernel.spawn(tally())
  for (const bad of [
    { source: '', number: 1 },
    { source: 'a', number: 1.5 },
    { source: '__proto__', number: 1 },
    3,
  ]) {
    const asked = durable.ask('add', 1, { once: bad as never })
    await t.throwsAsync(asked, { code: 'ERR_KARYON_ARGUMENT' })
  }
  await kernel.close()
})

test('a conflict redelivers a numbered message to a state that is as it was', async (t) => {
  const kernel = Kernel.memory()
  const { graph } = kernel
  await graph.write((tx) => tx.put('shared', { labels: ['Fact'], props: { n: 0 } }))
  let clashes = 2
  const reader = cell({
    name: 'reader',
    messages: { go: message<number, number>() },
    persist: true,
    grants: { read: ['Fact'], write: ['Fact'] },
    init: () => ({ runs: 0 }),
    on: {
      go: async (ctx, n) => {
        ctx.state.runs++
        ctx.tx.get('shared')
        ctx.tx.put(`mine ${n}`, { labels: ['Fact'] })
        if (clashes-- > 0) await graph.write((tx) => tx.patch('shared', { props: { n: clashes } }))
        return ctx.state.runs
      },
    },
  })
  const ref = kernel.spawn(reader)
  t.is(await ref.ask('go', 1, { once: { source: 'a', number: 1 } }), 1)
  t.is(ref.incarnation, 3)
  await kernel.close()
})

test('a message that was consumed before is no turn: it uses up no budget', async (t) => {
  const kernel = Kernel.memory()
  const frugal = cell({
    name: 'frugal',
    messages: { add: message<number, number>(), life: message<void, number>() },
    persist: true,
    limits: { budget: { messages: 3 } },
    init: () => ({ sum: 0 }),
    on: {
      add: (ctx, n) => (ctx.state.sum += n),
      life: (ctx) => ctx.self.incarnation,
    },
  })
  const ref = kernel.spawn(frugal)
  const once = { source: 'a', number: 1 }
  await ref.ask('add', 5, { once })
  for (let n = 0; n < 5; n++) await ref.deliver('add', 5, { once })
  t.is(await ref.ask('life'), 1)
  await kernel.close()
})

test('of two openings of one store each goes on from what the other has committed, and consumes nothing twice', async (t) => {
  const path = await folder(t)
  const [one, other] = [await Kernel.open(path), await Kernel.open(path)]
  const [first, second] = [one.spawn(tally()), other.spawn(tally())]
  t.deepEqual([await first.ask('sum'), await second.ask('sum')], [0, 0])
  const once = { source: 'queue', number: 1 }
  t.is(await first.ask('add', 5, { once }), 5)
  t.is(((await t.throwsAsync(second.ask('add', 5, { once }))) as KaryonError).code, 'ERR_KARYON_CONSUMED')
  t.is(await first.ask('add', 10), 15)
  t.is(await second.ask('add', 100), 115)
  t.is(await first.ask('add', 1), 116)
  t.is(one.stats().cells.failed + other.stats().cells.failed, 0)
  await one.close()
  await other.close()
})

test('what is reverted stays so: the cell begins anew with what there is', async (t) => {
  const kernel = Kernel.memory()
  const ref = kernel.spawn(tally())
  await ref.ask('add', 5)
  const before = kernel.now()
  await ref.ask('add', 1_000)
  await kernel.graph.revert({ principal: 'root/tally', since: before })
  t.is(await ref.ask('add', 1), 6)
  await kernel.close()
})

test('what is no name of a message is refused to its sender', async (t) => {
  const kernel = Kernel.memory()
  const ref = kernel.spawn(tally())
  for (const once of [
    null,
    0,
    '',
    false,
    {},
    { source: '\ud800', number: 1 },
    { source: 'a', number: 1.5 },
  ]) {
    await t.throwsAsync(ref.ask('add', 1, { once } as never), { code: 'ERR_KARYON_ARGUMENT' })
    await t.throwsAsync(ref.deliver('add', 1, { once } as never), { code: 'ERR_KARYON_ARGUMENT' })
  }
  t.deepEqual([await ref.ask('sum'), ref.incarnation], [0, 1])
  await kernel.close()
})
