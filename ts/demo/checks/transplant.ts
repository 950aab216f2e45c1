// A part of the graph is given away: packed, signed, read where it lies, and grafted into a memory that knows nothing.
import { generateKeyPairSync } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import {
  exportEngram,
  inspectEngram,
  openEngram,
  type Engram,
  type Graph,
  type Inspected,
  type Keyring,
  type Target,
} from '../../index.ts'
import { nameOf } from '../model.ts'
import { bytesText, count } from '../numbers.ts'
import { Seeded } from '../seed.ts'
import { compareAnswers, drawQuestions } from './answers.ts'
import { check, type Check } from './check.ts'
import { cuttingOf, type Cutting } from './cutting.ts'
import { graftComesAndGoes } from './graft.ts'
import { flippedByteIsRefused, strangersAreRefused } from './package.ts'

const NAME = 'who-wrote-what'
const SIGNER = 'the demonstration'

/** Packs a part of the graph into a file in the directory, and follows it from there. */
export async function transplantHolds(graph: Graph, directory: string, seed: number): Promise<Check[]> {
  await mkdir(directory, { recursive: true })
  const path = join(directory, `${NAME}.engram`)
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const keys: Keyring = { [SIGNER]: publicKey }
  const random = new Seeded(seed, 'transplant')
  using now = graph.snapshot()
  const cutting = cuttingOf(now)
  const { select } = cutting
  await exportEngram(graph, path, { name: NAME, version: '1.0.0', select, signWith: [privateKey] })
  const packed = tellsWhatIsInIt(inspectEngram(path, { keys }), cutting)
  using engram = openEngram(path, { keys, verify: 'full' })
  const questions = drawQuestions(now, cutting, random)
  const { says, problems } = compareAnswers(now, engram, cutting, questions)
  return [
    packed,
    check('transplant/open', `opened where it lies, it answers as the graph: ${says}`, problems),
    namesWhoWroteIt(graph, engram, questions.present),
    await flippedByteIsRefused(path, keys, random),
    strangersAreRefused(path),
    ...(await graftComesAndGoes(engram, (view) => compareAnswers(now, view, cutting, questions), cutting)),
  ]
}

/** What a package says of itself is what the graph has, and who has signed it. */
export function tellsWhatIsInIt({ manifest, signatures, bytes }: Inspected, cutting: Cutting): Check {
  const { nodes, edges, facts } = manifest.counts
  const problems: string[] = []
  if (nodes !== cutting.keys.length)
    problems.push(`it tells of ${nodes} nodes, the graph has ${cutting.keys.length}`)
  if (edges !== cutting.edges) problems.push(`it tells of ${edges} edges, the graph has ${cutting.edges}`)
  if (facts !== cutting.facts) problems.push(`it tells of ${facts} facts, the graph has ${cutting.facts}`)
  const signers = signatures.map(({ valid, signer }) => (valid ? signer : 'a wrong signature'))
  if (!isDeepStrictEqual(signers, [SIGNER]))
    problems.push(`it is signed by ${signers.join(', ') || 'nobody'}, not by ${SIGNER}`)
  return check(
    'transplant/package',
    `packed and signed: ${count(nodes, 'node')}, ${count(edges, 'edge')}, ${count(facts, 'fact')} in ${bytesText(bytes)}; it tells as much unopened`,
    problems,
  )
}

/** A package says of each fact who wrote it and when, as blame does. */
export function namesWhoWroteIt(graph: Graph, engram: Engram, keys: readonly string[]): Check {
  const problems: string[] = []
  const writers = new Set<string>()
  let facts = 0
  const compare = (target: Target, properties: Iterable<string>): void => {
    for (const property of [undefined, ...properties]) {
      facts += 1
      const blame = graph.blame(target, property)
      const source = engram.source(target, property)
      if (source !== undefined) writers.add(source.principal)
      const expected = textOf(blame)
      const found = textOf(source)
      if (found !== expected)
        problems.push(`${nameOf(target)} ${property ?? ''}: ${found}, blame says ${expected}`)
    }
  }
  for (const key of keys) {
    compare(key, Object.keys(engram.get(key)?.props ?? {}))
    for (const edge of engram.out(key)) compare(edge, Object.keys(edge.props))
  }
  if (facts === 0) problems.push('there was no fact to ask about')
  return check(
    'transplant/sources',
    `it names who wrote each of ${count(facts, 'fact')} and when, as blame does`,
    problems,
    [...writers].toSorted().join(', '),
  )
}

function textOf(source: { readonly principal: string; readonly time: Date } | undefined): string {
  return source === undefined ? 'nobody' : `${source.principal} at ${source.time.toISOString()}`
}
