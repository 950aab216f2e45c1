// What is seen of a graft: the reads of its fork, and no verb.
import type { Fork } from '../../graph/types.ts'
import type { GraftView } from '../types.ts'

type Name = Exclude<keyof GraftView, 'name' | 'from' | 'created'>

/** All of them: the type says so. */
const READS: Readonly<Record<Name, true>> = {
  get: true,
  getMany: true,
  handles: true,
  keys: true,
  neighbours: true,
  number: true,
  numbers: true,
  edge: true,
  out: true,
  in: true,
  nodes: true,
  count: true,
  degree: true,
  within: true,
  path: true,
  at: true,
  snapshot: true,
  validAt: true,
  history: true,
  diff: true,
  blame: true,
  why: true,
  changes: true,
  indexes: true,
  digest: true,
  ready: true,
  settled: true,
  stats: true,
}

/** The reads of a fork. */
export function viewOf(fork: Fork): GraftView {
  const { name, from, created } = fork
  const reads = (Object.keys(READS) as Name[]).map((read) => [read, fork[read].bind(fork)])
  return Object.freeze({ name, from, created, ...Object.fromEntries(reads) }) as GraftView
}
