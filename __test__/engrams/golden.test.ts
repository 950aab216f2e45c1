import test from 'ava'
import { createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { exportEngram, inspectEngram, openEngram } from '../../ts/engrams/index.ts'
import { freshDirectory } from '../kernel/directory.ts'
import { openRecall } from '../../ts/index.ts'
import { ABOUT, RECALLS, VALUES, goldenGraph, goldenPast, goldenSigner, goldenTexts } from './golden.ts'
import { type Told, told } from './told.ts'
import { plainOf } from './worlds.ts'

/** Made by the first Karyon that wrote format 1; never made again. */
const SIGNED = fixture('format-1.engram')
const PLAIN = fixture('format-1-plain.engram')
/** Made by the first Karyon that wrote format 2; never made again. */
const PAST = fixture('format-2.engram')
const PAST_ROOT = '3d3ac1b48d098dc067d1f6fd2dac44eb2d3f1c3e0a6e1beabddb343d14225eba'
/** Made by the first Karyon that wrote format 3; never made again. */
const RECALLED = fixture('format-3.engram')
const RECALLED_ROOT = '832392dff22685956cd5e1c1f484489d06993baffef4987eb5f0042e88789ce2'
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

/** What was found when it was made. */
const HOOKS: readonly object[] = [
  { key: 'text 420', score: 2_582_191, grams: 7 },
  { key: 'text 120', score: 274_186, grams: 3 },
]

test('a package of format 3, which carries recall tables, is recalled where it lies, as long as Karyon is', async (t) => {
  using engram = openEngram(RECALLED, { keys: { golden: createPublicKey(goldenSigner()) }, verify: 'full' })
  t.is(engram.root, RECALLED_ROOT)
  t.like(engram.manifest, { ...ABOUT, format: 3, history: 'kept' })
  t.deepEqual(engram.manifest.recall, {
    normaliser: 1,
    grams: 1,
    tables: RECALLS.map((options) => ({ ...options, texts: 541 })),
  })
  const graph = await goldenTexts()
  t.deepEqual(plainOf(engram), plainOf(graph))
  const path = join(freshDirectory(t), 'without.engram')
  await exportEngram(engram, path, ABOUT)
  using without = openEngram(path)
  for (const options of RECALLS) {
    const [placed, built] = [await openRecall(engram, options), await openRecall(without, options)]
    t.false(built.stats().inPlace)
    t.true(placed.stats().inPlace)
    for (const cue of ['golden', 'naive fish of Japan', 'HOOKS no. 120', '日本', 'a é x']) {
      for (const asked of [{}, { limit: 1_000 }, { minTrust: 0.6, minConfidence: 0.5 }])
        t.deepEqual(placed.find(cue, asked), built.find(cue, asked), cue)
    }
  }
  const recall = await openRecall(engram, RECALLS[1]!)
  const found = recall.find('hooks no. 420', { limit: 2 })
  t.deepEqual(
    found.map(({ key, score, grams }) => ({ key, score, grams })),
    HOOKS,
  )
})

test('what was in a package of format 3 is packed into the same bytes', async (t) => {
  const path = join(freshDirectory(t), 'again.engram')
  using engram = openEngram(RECALLED)
  const options = {
    ...ABOUT,
    select: { history: 'kept' },
    recall: RECALLS,
    signWith: [goldenSigner()],
  } as const
  await exportEngram(engram, path, options)
  t.deepEqual(readFileSync(path), readFileSync(RECALLED))
})
