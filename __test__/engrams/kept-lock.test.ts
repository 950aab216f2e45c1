import test from 'ava'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { dropEngram, keepEngram, keptEngrams } from '../../ts/index.ts'
import { refused } from '../kernel/refused.ts'
import { twoKept } from './keeping.ts'

/** When a process was started, as it stands in a lock. */
function startOf(pid: number): string {
  if (process.platform !== 'linux') return String(Math.round(Date.now() - process.uptime() * 1_000))
  return readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ')[19]!
}

async function idle(): Promise<ChildProcess & { readonly pid: number }> {
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: 'pipe' })
  await once(child, 'spawn')
  return child as ChildProcess & { readonly pid: number }
}

test('while another process writes nobody else does, and the lock of a dead one holds nothing', async (t) => {
  const { directory, folder, a } = await twoKept(t)
  const child = await idle()
  t.teardown(() => child.kill())
  const lock = join(folder, 'lock')
  writeFileSync(lock, `${child.pid} ${startOf(child.pid)}\n`)
  const error = await refused(t, 'ERR_KARYON_OWNED', keepEngram(join(directory, 'a'), folder))
  t.is(error.details['pid'], child.pid)
  await refused(t, 'ERR_KARYON_OWNED', dropEngram(folder, a.root))
  t.is(keptEngrams(folder).length, 2)
  child.kill()
  await once(child, 'exit')
  t.is((await keepEngram(join(directory, 'a'), folder)).stored, 0)
  t.false(existsSync(lock))
  // That of this process's number, but of one before it.
  writeFileSync(lock, `${process.pid} 1\n`)
  t.is((await keepEngram(join(directory, 'a'), folder)).stored, 0)
  // A worker of this process.
  writeFileSync(lock, `${process.pid} ${startOf(process.pid)}\n`)
  await refused(t, 'ERR_KARYON_OWNED', keepEngram(join(directory, 'a'), folder))
})

const onLinux = process.platform === 'linux' ? test : test.skip

onLinux('the lock of one whose number another process has by now holds nothing', async (t) => {
  const { directory, folder } = await twoKept(t)
  const child = await idle()
  t.teardown(() => child.kill())
  writeFileSync(join(folder, 'lock'), `${child.pid} 1\n`)
  t.is((await keepEngram(join(directory, 'a'), folder)).stored, 0)
})

test('a lock that was never written holds nothing, unless it may still be', async (t) => {
  const { directory, folder } = await twoKept(t)
  const lock = join(folder, 'lock')
  const left = `${lock}.00000000-0000-4000-8000-000000000000.tmp`
  writeFileSync(left, '1 1\n')
  utimesSync(left, new Date(), new Date(Date.now() - 60_000))
  for (const half of ['', '12', 'something else\n']) {
    writeFileSync(lock, half)
    const error = await refused(t, 'ERR_KARYON_OWNED', keepEngram(join(directory, 'a'), folder))
    t.false('pid' in error.details)
    utimesSync(lock, new Date(), new Date(Date.now() - 60_000))
    t.is((await keepEngram(join(directory, 'a'), folder)).stored, 0)
    t.deepEqual(readdirSync(folder).toSorted(), ['packages', 'packs'])
  }
})

test('one at a time takes away the lock of a dead process, and one that died over it holds nothing for long', async (t) => {
  const { directory, folder } = await twoKept(t)
  const [lock, over] = [join(folder, 'lock'), join(folder, 'lock.over')]
  writeFileSync(lock, `${process.pid} 1\n`)
  writeFileSync(over, `${process.pid} 1\n`)
  await refused(t, 'ERR_KARYON_OWNED', keepEngram(join(directory, 'a'), folder))
  t.is(readFileSync(lock, 'latin1'), `${process.pid} 1\n`)
  utimesSync(over, new Date(), new Date(Date.now() - 60_000))
  await refused(t, 'ERR_KARYON_OWNED', keepEngram(join(directory, 'a'), folder))
  t.is((await keepEngram(join(directory, 'a'), folder)).stored, 0)
  t.deepEqual(readdirSync(folder).toSorted(), ['packages', 'packs'])
})

test('of many processes that find the lock of a dead one, one writes at a time', async (t) => {
  const { directory, folder } = await twoKept(t)
  const program = join(directory, 'program.ts')
  const lockModule = new URL('../../ts/engrams/kept/lock.ts', import.meta.url).href
  // Each says when it began and ended its work; a clock for all processes of the machine.
  writeFileSync(
    program,
    `import { alone } from ${JSON.stringify(lockModule)}
     process.stdin.once('data', async () => {
       const now = () => String(process.hrtime.bigint())
       for (let round = 0; round < 40; round++) {
         try {
           await alone(process.argv[2]!, () => {
             const from = now()
             while (process.hrtime.bigint() < BigInt(from) + 200_000n);
             console.log(from + ' ' + now())
           })
         } catch (error) {
           if ((error as { code?: string }).code !== 'ERR_KARYON_OWNED') throw error
         }
       }
       process.exit(0)
     })
     console.log('ready')`,
  )
  writeFileSync(join(folder, 'lock'), `${process.pid} 1\n`)
  const children = Array.from({ length: 4 }, () =>
    spawn(process.execPath, [...process.execArgv, program, folder], { stdio: ['pipe', 'pipe', 'inherit'] }),
  )
  t.teardown(() => children.forEach((child) => child.kill()))
  const said = children.map(() => '')
  await Promise.all(
    children.map(async (child, at) => {
      child.stdout.on('data', (text: Buffer) => (said[at] += text.toString()))
      await once(child.stdout, 'data')
    }),
  )
  const ended = children.map((child) => once(child, 'close'))
  for (const child of children) child.stdin.write('go\n')
  for (const [code] of (await Promise.all(ended)) as [number][]) t.is(code, 0)
  const work = said
    .flatMap((text) => text.split('\n'))
    .filter((line) => /^\d/.test(line))
    .map((line) => line.split(' ').map(BigInt) as [bigint, bigint])
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
  t.true(work.length > 0)
  for (const [at, [from]] of work.entries()) t.true(at === 0 || from >= work[at - 1]![1])
})

test('a lock is whole as soon as it is there', async (t) => {
  const { directory, folder } = await twoKept(t)
  const kept = keepEngram(join(directory, 'a'), folder)
  while (!existsSync(join(folder, 'lock'))) await Promise.resolve()
  t.is(readFileSync(join(folder, 'lock'), 'latin1'), `${process.pid} ${startOf(process.pid)}\n`)
  await kept
  t.deepEqual(readdirSync(folder).toSorted(), ['packages', 'packs'])
})
