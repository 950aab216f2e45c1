// What was promoted is taken back: in one revert, or, where a rule of the graph stands in the way of some of it, fact by fact.
import { KaryonError } from '../../errors.ts'
import type { Change, Edge, EdgeIdentity, Graph, Node, Target, Transaction } from '../../graph/types.ts'
import { type Entity, held, isNode, part, write } from './facts.ts'
import { targetOf } from './judge.ts'
import type { Kernel } from '../../kernel.ts'
import { type Held, sameHeld } from './policies.ts'
import { actInTheNameOf, cellOf, type Turn } from './principal.ts'
import { isFailure } from './refusals.ts'
import { EXISTENCE, factOf } from './since.ts'
import type { Detached, GraftInfo } from '../types.ts'

/** What a revert as a whole is refused with where a rule would be broken. */
const RULES = ['ERR_KARYON_UNIQUE', 'ERR_KARYON_REQUIRED'] as const
/** What some of it is refused with: then less is tried at once, and what is refused alone is kept. */
const OBSTACLES = [
  ...RULES,
  'ERR_KARYON_CONFLICT',
  'ERR_KARYON_HAS_EDGES',
  'ERR_KARYON_TRANSACTION_SIZE',
] as const

type Promotion = Pick<GraftInfo, 'principal' | 'from'>
type Kept = Detached['kept'][number]

/** A fact that nobody has changed since the principal did: as it is, and the first of the principal's changes of it. */
interface Undoing {
  readonly entity: Entity
  readonly fact: string
  readonly change: Change
}

/**
 * Takes back what a graft's principal has written since the graft, but for what others have changed and what a rule needs. To be called in
 * `oneAfterTheOther`, for the principal's cell.
 *
 * Fact by fact it is the principal itself that takes back: after a crash in the middle of it, what is left is its own still, and is taken back next time.
 */
export async function takeBack(kernel: Kernel, { principal, from }: Promotion): Promise<Detached> {
  const { graph } = kernel
  const written = { principal, since: from }
  try {
    return await graph.revert(written)
  } catch (error) {
    if (!RULES.some((code) => isFailure(error, code))) throw error
  }
  const { kept, restored } = await graph.revert({ ...written, dryRun: true })
  const undoings = undoingsOf(graph, { principal, from }, kept)
  const needed = await actInTheNameOf(kernel, cellOf(principal), (turn) => undoInParts(turn, undoings))
  return { restored: restored - needed.length, kept: [...kept, ...needed] }
}

/** All that is to be undone, in the order in which least of it is in the way of the rest: edges, nodes that go, labels, properties. */
function undoingsOf(graph: Graph, promotion: Promotion, kept: readonly Kept[]): Undoing[] {
  const staying = new Set(kept.filter(({ slot }) => slot === EXISTENCE).map(({ target }) => nameOf(target)))
  const [edges, nodes, labels, properties]: Undoing[][] = [[], [], [], []]
  for (const { after } of graph.diff(promotion.from, graph.stats().durable)) {
    if (after === undefined) continue
    const own = ownChanges(graph, targetOf(after), promotion)
    const made = own.get(EXISTENCE)
    if (made && !staying.has(nameOf(targetOf(after)))) {
      const list = isNode(after) ? nodes! : edges!
      list.push({ entity: after, fact: EXISTENCE, change: made })
      continue
    }
    for (const [fact, change] of own) {
      if (fact === EXISTENCE || isUndone(after, change)) continue
      const list = isNode(after) ? (change.label === undefined ? properties! : labels!) : edges!
      list.push({ entity: after, fact, change })
    }
  }
  return [...edges!, ...nodes!, ...labels!, ...properties!]
}

/** Of each fact that the principal has changed last the first change since that is the principal's, and nobody else's came after. */
function ownChanges(graph: Graph, target: Target, { principal, from }: Promotion): Map<string, Change> {
  const own = new Map<string, Change>()
  const others = new Set<string>()
  for (const change of graph.history(target, { from })) {
    const fact = factOf(change)
    if (change.principal !== principal) others.add(fact)
    else if (!others.has(fact)) own.set(fact, change)
  }
  return own
}

/** In as few commits as it takes. What cannot be undone alone is told. */
async function undoInParts(turn: Turn, undoings: readonly Undoing[]): Promise<Kept[]> {
  if (undoings.length === 0) return []
  try {
    await turn((graph) =>
      graph.write((tx) => {
        for (const undoing of undoings) undo(tx, undoing)
      }),
    )
    return []
  } catch (error) {
    if (!OBSTACLES.some((code) => isFailure(error, code))) throw error
    if (undoings.length === 1) {
      const [{ entity, fact }] = undoings as [Undoing]
      return [{ target: targetOf(entity), slot: fact, reason: (error as KaryonError).message }]
    }
    const half = undoings.length >> 1
    const first = await undoInParts(turn, undoings.slice(0, half))
    return [...first, ...(await undoInParts(turn, undoings.slice(half)))]
  }
}

function undo(tx: Transaction, { entity, fact, change }: Undoing): void {
  const now = isNode(entity) ? tx.get(entity.key) : tx.edge(targetOf(entity) as EdgeIdentity)
  if (now === undefined || !isAsItWas(now, entity, fact, change))
    throw new KaryonError('ERR_KARYON_CONFLICT', 'somebody has changed it while it was to be taken back')
  const { label, property, before, intervalsBefore } = change
  if (fact === EXISTENCE) return remove(tx, entity)
  if (label !== undefined) return tx.patch(targetOf(entity), { dropLabels: [label] })
  if (property !== undefined && before === undefined && intervalsBefore === undefined)
    return tx.patch(targetOf(entity), { props: { [property]: undefined } })
  write(tx, part(entity, [], new Map([[property, heldBefore(change)]]))!)
}

function heldBefore({ before, intervalsBefore }: Change): Held {
  return before === undefined ? { times: intervalsBefore ?? [] } : { value: before }
}

/** Whether it is taken back already, as far as that goes. */
function isUndone(now: Entity, change: Change): boolean {
  const { label, property, before, intervalsBefore } = change
  if (label !== undefined) return isNode(now) && !now.labels.includes(label)
  const there = held(now, property)
  if (property !== undefined && before === undefined && intervalsBefore === undefined)
    return there === undefined
  return sameHeld(there, heldBefore(change))
}

function remove(tx: Transaction, entity: Entity): void {
  if (isNode(entity)) tx.remove(entity.key)
  else tx.unlink(entity.from, entity.type, entity.to, { key: entity.key })
}

function isAsItWas(now: Node | Edge, entity: Entity, fact: string, { label, property }: Change): boolean {
  if (fact === EXISTENCE) return now.version === entity.version
  if (label !== undefined) return isNode(now) && now.labels.includes(label)
  return sameHeld(held(now, property), held(entity, property))
}

function nameOf(target: Target): string {
  if (typeof target === 'string') return `node ${target}`
  const { from, type, to, key = '' } = target
  return JSON.stringify([from, type, to, key])
}
