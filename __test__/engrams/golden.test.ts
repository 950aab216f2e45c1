import test from 'ava'
import { createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { exportEngram, inspectEngram, openEngram } from '../../ts/engrams/index.ts'
import { freshDirectory } from '../kernel/directory.ts'
import { ABOUT, VALUES, goldenGraph, goldenPast, goldenSigner } from './golden.ts'
import { type Told, told } from './told.ts'
import { plainOf } from './worlds.ts'

/** Made by the first Karyon that wrote format 1; never made again. */
const SIGNED = fixture('format-1.engram')
const PLAIN = fixture('format-1-plain.engram')
/** Made by the first Karyon that wrote format 2; never made again. */
const PAST = fixture('format-2.engram')
const PAST_ROOT = '3d3ac1b48d098dc067d1f6fd2dac44eb2d3f1c3e0a6e1beabddb343d14225eba'
const ROOT = '05a93b60651b660bda1d700f3a2c17825547ae1fdcaf4186149fa41e33b214e2'

function fixture(name: string): string {
  return fileURLToPath(new URL(`fixtures/${name}`, import.meta.url))
}

test('a package of format 1 is read, as long as Karyon is', async (t) => {
  const keys = { golden: createPublicKey(goldenSigner()) }
  using engram = openEngram(SIGNED, { keys, verify: 'full' })
  t.is(engram.root, ROOT)
  t.deepEqual(
    engram.signatures.map(({ valid, signer }) => ({ valid, signer })),
    [{ valid: true, signer: 'golden' }],
  )
  t.like(engram.manifest, ABOUT)
  t.deepEqual(engram.manifest.counts, { nodes: 205, edges: 204, facts: 631, sources: 2 })
  t.deepEqual(engram.get('everything')?.props, VALUES)
  t.deepEqual(plainOf(engram), plainOf(await goldenGraph()))
  t.is(engram.source('everything')?.time.toISOString(), '2026-11-26T23:10:40.880306Z')
  t.is(engram.source('alone', 'salary')?.principal, 'root')
})

test('what was in a package of format 1 is packed into the same bytes', async (t) => {
  const path = join(freshDirectory(t), 'again.engram')
  using engram = openEngram(SIGNED)
  await exportEngram(engram, path, { ...ABOUT, signWith: [goldenSigner()] })
  t.deepEqual(readFileSync(path), readFileSync(SIGNED))
  await exportEngram(await goldenGraph(), path, { ...ABOUT, provenance: false })
  t.deepEqual(readFileSync(path), readFileSync(PLAIN))
  t.is(inspectEngram(PLAIN).signatures.length, 0)
})

/** A past without its times, which are those of another run. */
function timeless({ changes, isCut }: Told): object {
  return { changes: changes.map(({ time: _time, ...rest }) => rest), isCut }
}

test('a package of format 2, which has a past, is read, as long as Karyon is', async (t) => {
  const keys = { golden: createPublicKey(goldenSigner()) }
  using engram = openEngram(PAST, { keys, verify: 'full' })
  t.is(engram.root, PAST_ROOT)
  t.like(engram.manifest, { ...ABOUT, format: 2, history: 'kept' })
  t.deepEqual(engram.manifest.counts, { nodes: 205, edges: 204, facts: 632, sources: 5, changes: 676 })
  const graph = await goldenPast()
  t.deepEqual(plainOf(engram), plainOf(graph))
  const targets = [...[...engram.nodes()].map(({ key }) => key), ...engram.edges()]
  for (const target of targets) {
    t.deepEqual(timeless(told(engram.history(target))), timeless(told(graph.history(target))))
  }
  const [newest] = engram.history({ from: '𐀀', type: 'IS', to: '𐀀' })
  t.is(newest?.time.toISOString(), '2026-11-27T03:28:06.398836Z')
  t.is(newest?.principal, 'root/crew')
})

test('what was in a package of format 2 is packed into the same bytes', async (t) => {
  const path = join(freshDirectory(t), 'again.engram')
  using engram = openEngram(PAST)
  await exportEngram(engram, path, { ...ABOUT, select: { history: 'kept' }, signWith: [goldenSigner()] })
  t.deepEqual(readFileSync(path), readFileSync(PAST))
})
