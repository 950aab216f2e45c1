import test from 'ava'
import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { exportEngram, inspectEngram, openEngram } from '../../ts/engrams/index.ts'
import { BLOCK_BYTES, FIRST_SECTION, decodeFrame } from '../../ts/engrams/layout.ts'
import { Kernel } from '../../ts/index.ts'
import { freshDirectory } from '../kernel/directory.ts'
import { refused } from '../kernel/refused.ts'

/** Nodes of this many bytes, so many that the hashes of their blocks are more than a block. */
const [NODE_BYTES, NODES] = [15 * 2 ** 20, 10]

test('where the tree has levels, each block of each is checked on the way up', async (t) => {
  const { graph } = Kernel.memory()
  for (let at = 0; at < NODES; at++) {
    await graph.write((tx) => tx.put(`n${at}`, { props: { bytes: new Uint8Array(NODE_BYTES).fill(at) } }))
  }
  const path = join(freshDirectory(t), 'large.engram')
  await exportEngram(graph, path, { name: 'large', version: '1.0.0' })
  t.is(inspectEngram(path, { verify: 'full' }).manifest.counts.nodes, NODES)

  const file = openSync(path, 'r+')
  t.teardown(() => closeSync(file))
  const head = Buffer.alloc(FIRST_SECTION)
  readSync(file, head, 0, head.length, 0)
  const { bytes, levels } = decodeFrame(head)
  t.is(levels, 2)
  const flip = (at: number): void => {
    const byte = Buffer.alloc(1)
    readSync(file, byte, 0, 1, at)
    byte[0] = byte[0]! ^ 1
    writeSync(file, byte, 0, 1, at)
  }
  // The hash of a block in the middle of the last node, which stands in the second block of the lowest level.
  const hashes = Math.ceil(bytes / BLOCK_BYTES)
  const late = hashes - 30
  t.true(late * 32 > BLOCK_BYTES)
  const places = {
    'a block': late * BLOCK_BYTES,
    'its hash': bytes + late * 32,
    'the hash of that': bytes + hashes * 32 + 32,
  }
  for (const [what, at] of Object.entries(places)) {
    flip(at)
    await refused(t, 'ERR_KARYON_PACKAGE_ROOT', () => inspectEngram(path, { verify: 'full' }), what)
    using engram = openEngram(path)
    t.is(engram.nodes().next().value?.key, 'n0', 'what is elsewhere is read')
    await refused(t, 'ERR_KARYON_PACKAGE_ROOT', () => [...engram.nodes()], what)
    flip(at)
  }
  // Both a block and its hash, so that only the level above tells.
  flip(bytes + 32 * (hashes - 1))
  await refused(t, 'ERR_KARYON_PACKAGE_ROOT', () => openEngram(path, { verify: 'full' }), 'the last hash')
  flip(bytes + 32 * (hashes - 1))
  t.is(inspectEngram(path, { verify: 'full' }).manifest.counts.nodes, NODES)
})
