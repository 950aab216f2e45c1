import test from 'ava'
import fs, { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { KaryonError, Kernel, exportEngram, keepEngram } from '../../ts/index.ts'
import {
  exportJsonLines,
  importJsonLines,
  importNQuads,
  parseNQuads,
  toFile,
} from '../../ts/integrations/index.ts'
import { freshDirectory } from '../kernel/directory.ts'
import { refused } from '../kernel/refused.ts'

test('a graph goes to a file and comes back, by path and by URL', async (t) => {
  const folder = freshDirectory(t)
  const { graph } = Kernel.memory()
  await graph.write((tx) => {
    for (let n = 0; n < 5_000; n++) tx.put(`n${n}`, { props: { text: 'é'.repeat(100) } })
    for (let n = 0; n < 5_000; n++) tx.link(`n${n}`, 'T', `n${(n * 7) % 5_000}`)
  })
  const file = join(folder, 'graph.jsonl')
  writeFileSync(file, 'what was there before')
  const bytes = await toFile(file, exportJsonLines(graph))
  t.is(readFileSync(file).length, bytes)
  t.deepEqual(readdirSync(folder), ['graph.jsonl'])
  for (const source of [file, pathToFileURL(file)]) {
    const other = Kernel.memory().graph
    t.like(await importJsonLines(other, source), { lines: 10_000, nodes: 5_000, edges: 5_000, commits: 1 })
    t.is(other.digest(), graph.digest())
  }
  await toFile(pathToFileURL(join(folder, 'again.jsonl')), exportJsonLines(graph))
  t.deepEqual(readFileSync(join(folder, 'again.jsonl')), readFileSync(file))
})

test('a file is whole or as it was before', async (t) => {
  const folder = freshDirectory(t)
  const file = join(folder, 'graph.jsonl')
  writeFileSync(file, 'before')
  async function* failing(error: Error): AsyncGenerator<string> {
    yield 'half'
    throw error
  }
  const own = new KaryonError('ERR_KARYON_CLOSED', 'the kernel is closed')
  t.is(await t.throwsAsync(toFile(file, failing(own))), own)
  await refused(t, 'ERR_KARYON_IO', toFile(file, failing(new Error('gone'))))
  t.is(readFileSync(file, 'utf8'), 'before')
  t.deepEqual(readdirSync(folder), ['graph.jsonl'])
})

const onLinux = process.platform === 'linux' ? test.serial : test.serial.skip

// What is synced is told by its number alone, and the number's path by Linux alone.
onLinux(
  'the name of a file is synced once it is there, and so is that of each folder that is made',
  async (t) => {
    const folder = freshDirectory(t)
    const synced: string[] = []
    const note = (number: number): void => {
      const path = readlinkSync(`/proc/self/fd/${number}`)
      synced.push(existsSync(join(path, 'graph.jsonl')) ? `${path} with the file` : path)
    }
    const handle = await open(folder)
    const handles = Object.getPrototypeOf(handle) as { sync(this: FileHandle): Promise<void> }
    await handle.close()
    const { sync } = handles
    const { fsyncSync } = fs
    t.teardown(() => {
      Object.assign(handles, { sync })
      Object.assign(fs, { fsyncSync })
      syncBuiltinESMExports()
    })
    handles.sync = function (): Promise<void> {
      note(this.fd)
      return sync.call(this)
    }
    fs.fsyncSync = (number: number): void => {
      note(number)
      fsyncSync(number)
    }
    syncBuiltinESMExports()
    await toFile(join(folder, 'graph.jsonl'), ['text'])
    t.is(synced.length, 2)
    t.true(synced[0]!.endsWith('.partial'))
    t.is(synced[1], `${folder} with the file`)

    const engram = join(folder, 'an.engram')
    await exportEngram(Kernel.memory().graph, engram, { name: 'nothing', version: '1.0.0' })
    const kept = join(folder, 'a', 'b', 'kept')
    await keepEngram(engram, kept)
    t.true(
      synced.includes(kept) && synced.includes(join(folder, 'a', 'b')) && synced.includes(join(folder, 'a')),
    )
    t.is(
      synced.filter((path) => path.startsWith(`${folder} `)).length,
      3,
      'the file, the engram, the folder a',
    )
  },
)

test('a file that cannot be read or written is told by its path', async (t) => {
  const folder = freshDirectory(t)
  const file = join(folder, 'none', 'graph.nq')
  const { graph } = Kernel.memory()
  const read = await refused(t, 'ERR_KARYON_IO', importNQuads(graph, file))
  t.like(read.details, { path: file, committedLines: 0 })
  await refused(t, 'ERR_KARYON_IO', () => parseNQuads(file).next())
  const written = await refused(t, 'ERR_KARYON_IO', toFile(file, ['text']))
  t.is(written.details['path'], file)
})
