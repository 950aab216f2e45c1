// What becomes of a failure, by where its cell runs: the README says exactly this, and a test runs each field.
import { readFileSync } from 'node:fs'
import test from 'ava'
import { Reference } from '../../ts/cells/ref.ts'
import { Kernel } from '../../ts/index.ts'
import { PATIENT, threaded, threadOf } from './threads/both.ts'
import { inlineCounter, threadCounter } from './threads/cells.ts'

/** A field: what it says, and the titles of the tests that show it, by their file. */
interface Field {
  readonly says: string
  readonly shown: Readonly<Record<string, readonly string[]>>
}

const CONTAINED: Field = {
  says: 'contained',
  shown: {
    'crashes/matrix.ts': [
      '}: the asker is told, the cell starts anew, its neighbours keep their state',
      'a promise that never settles: its time limit ends the turn',
      'a broken invariant: nothing of the turn is committed',
      'a lease that is not renewed ends the turn',
    ],
    'crashes/cells.ts': ["'a throw': ", "'a rejected promise': ", "'a throw after an await': "],
  },
}

const ROWS: Readonly<Record<string, readonly [inline: Field, thread: Field]>> = {
  'throw, rejection, broken invariant, lost lease, promise that never settles': [CONTAINED, CONTAINED],
  'endless loop': [
    {
      says: 'reported while it lasts; stopped only with `stopInPlace`',
      shown: {
        'watchdog.test.ts': ['stderr says which cell, while the loop stands still'],
        'watchdog-stop.test.ts': ['is stopped; its cell restarts, and neighbours do not notice'],
      },
    },
    {
      says: 'worker replaced in milliseconds, neighbours in it restart as `collateral`; with `stopInPlace` the turn alone is stopped',
      shown: {
        'crashes/thread.test.ts': [
          'the worker is replaced, the neighbours begin anew with all their messages',
        ],
        'crashes/cells.ts': ["'an endless loop': ", "'an endless loop after an await': "],
        'threads/stop.test.ts': ['is stopped in its worker, which stays, and so do its neighbours'],
      },
    },
  ],
  '`process.exit`, an error that nobody catches': [
    {
      says: 'process ends',
      shown: { 'crashes/inline.test.ts': ["'`process.exit`'", "'an error that nobody catches'"] },
    },
    {
      says: 'worker replaced, neighbours in it restart as `collateral`',
      shown: {
        'crashes/thread.test.ts': [
          'it ends the worker alone, the neighbours begin anew with all their messages',
        ],
        'crashes/cells.ts': ["'`process.exit`': ", "'an error that nobody catches': "],
      },
    },
  ],
  'exhausted heap, native fault': [
    {
      says: 'process dies',
      shown: { 'crashes/inline.test.ts': ["'a heap that is exhausted at once'", "'a native fault'"] },
    },
    {
      says: 'process dies; of a heap that fills up slowly the worker alone',
      shown: {
        'crashes/thread.test.ts': [
          "endsProgram('thread', 'a heap that is exhausted at once'",
          "endsProgram('thread', 'a native fault'",
          "endsWorker('a heap that fills up little by little')",
        ],
      },
    },
  ],
  cost: [
    { says: '< 1 µs, hundreds of bytes', shown: { 'isolation.test.ts': ['inline cells cost no worker'] } },
    {
      says: '~35 ms and ~8 MB cold; many cells share a worker',
      shown: { 'isolation.test.ts': ['many cells share a worker'] },
    },
  ],
}

test('the README says of each field what is shown, and nothing else', (t) => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  const [, table = ''] = /\| failure in a cell \|.*\n\|[-|]+\|\n((?:\|.*\n)+)/.exec(readme) ?? []
  const said = table
    .trimEnd()
    .split('\n')
    .map((row) =>
      row
        .slice(1, -1)
        .split('|')
        .map((field) => field.trim()),
    )
  t.deepEqual(
    said,
    Object.entries(ROWS).map(([failure, fields]) => [failure, ...fields.map(({ says }) => says)]),
  )
})

for (const [failure, fields] of Object.entries(ROWS)) {
  test(`there are tests of each field: ${failure}`, (t) => {
    for (const { shown } of fields) {
      for (const [file, titles] of Object.entries(shown)) {
        const text = readFileSync(new URL(file, import.meta.url), 'utf8')
        for (const title of titles) t.true(text.includes(title), `${file}: ${title}`)
      }
    }
  })
}

test('inline cells cost no worker', async (t) => {
  const kernel = Kernel.memory()
  const refs = Array.from({ length: 1_000 }, () => kernel.spawn(inlineCounter))
  t.deepEqual(new Set(await Promise.all(refs.map((ref) => ref.ask('total')))), new Set([0]))
  t.is(Reference.cellOf(refs[0] as unknown as Reference).runtime.threads, undefined)
  await kernel.close()
})

threaded('many cells share a worker', { count: 1, spare: false }, async (t, { kernel, events }) => {
  const refs = Array.from({ length: 1_000 }, () => kernel.spawn(threadCounter))
  const totals = await Promise.all(refs.map((ref) => ref.ask('total', undefined, PATIENT)))
  t.deepEqual(new Set(totals), new Set([0]))
  t.is(new Set(refs.map((ref) => threadOf(ref).number)).size, 1)
  t.is(events.filter(({ type }) => type === 'worker.started').length, 1)
})
