// Workers keep no program alive; what goes on in them does.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { Kernel, cell, message } from '../../../ts/index.ts'
import { Reference } from '../../../ts/cells/ref.ts'
import { threadCounter } from './cells.ts'

function run(fixture: string, ...args: string[]): Promise<{ code: number | null; output: string }> {
  return node([fileURLToPath(new URL(`../fixtures/${fixture}.ts`, import.meta.url)), ...args])
}

function node(args: string[], input = ''): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--import=@oxc-node/core/register', ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    child.stdin.end(input)
    let output = ''
    child.stdout.on('data', (part: Buffer) => {
      output += part.toString()
    })
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, output }))
  })
}

const cases: [name: string, code: number, output: string, title: string][] = [
  ['idle', 0, 'begun\n0\n', 'a program with idle workers ends by itself'],
  ['turn', 0, 'begun\nhandled\n', 'a turn in a worker keeps the program alive'],
  ['work', 0, 'begun\nworked\n', 'work in a worker keeps the program alive'],
  ['work-inline', 0, 'begun\nworked\n', 'so does work here, whatever it waits for'],
  ['inspect', 0, 'begun\ninspected\n', 'a look at a cell in a worker keeps the program alive'],
  ['close', 0, 'begun\nclosed\n', 'a kernel with workers closes, any number of times'],
  ['exit', 3, 'begun\nhandled\n', 'process.exit does not wait for workers'],
]

for (const [name, code, output, title] of cases) {
  test.serial(title, async (t) => {
    t.deepEqual(await run('threads', name), { code, output })
  })
}

test.serial(
  'a cell in a worker spawns what the program itself defines, while that runs at its top level',
  async (t) => {
    t.deepEqual(await run('toplevel'), { code: 0, output: 'root/parent/child pong\n' })
  },
)

const text = `
import { Kernel } from '${new URL('../../../ts/index.ts', import.meta.url).href}'
import { threadCounter } from '${new URL('cells.ts', import.meta.url).href}'
const kernel = Kernel.memory({ workers: { count: 1 } })
console.log(await kernel.spawn(threadCounter).ask('total', undefined, { timeoutMs: 60_000 }))
await kernel.close()
`
for (const [flags, title] of [
  [[], 'a program that is text has workers'],
  [['--expose-gc'], 'so has one that is run with flags which no worker may be given anew'],
] as const) {
  test.serial(title, async (t) => {
    t.deepEqual(await node([...flags, '--input-type=module', '-e', text]), { code: 0, output: '0\n' })
    t.deepEqual(await node([...flags, '--input-type=module'], text), { code: 0, output: '0\n' })
  })
}

test('a cell that leaves its isolate says which module exports it', (t) => {
  const spec = { name: 'lost', messages: { ping: message() }, on: { ping: () => 1 } }
  // @ts-expect-error it has no module
  t.throws(() => cell({ ...spec, isolation: 'thread' }), {
    code: 'ERR_KARYON_ARGUMENT',
    message: /import\.meta\.url/,
  })
  t.throws(() => cell({ ...spec, module: 'no url' }), { code: 'ERR_KARYON_ARGUMENT' })
  t.throws(() => cell({ ...spec, isolation: 'process' as never }), { code: 'ERR_KARYON_ARGUMENT' })
})

test('workers are asked for in bounds', (t) => {
  for (const workers of [
    { count: 0 },
    { count: 65 },
    { count: 1.5 },
    { spare: 1 as never },
    { threads: 2 } as never,
  ])
    t.throws(() => Kernel.memory({ workers }), { code: 'ERR_KARYON_ARGUMENT' })
})

test('no worker is there before a cell needs one', async (t) => {
  const kernel = Kernel.memory()
  const ref = kernel.spawn(cell({ name: 'here', messages: { ping: message() }, on: { ping: () => 1 } }))
  await ref.ask('ping')
  t.is(Reference.cellOf(ref as unknown as Reference).runtime.threads, undefined)
  const there = kernel.spawn(threadCounter)
  t.is(await there.ask('total', undefined, { timeoutMs: 60_000 }), 0)
  await kernel.close()
})
