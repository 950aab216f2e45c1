// Clients of the public API whose transactions overlap, and what they saw.
import type { Edge, Graph, OpenTransaction, Reader, Transaction } from '../../ts/index.ts'
import { KaryonError } from '../../ts/index.ts'
import { below, pick, type Random } from '../values/random.ts'
import type { Level } from './checker.ts'
import type { Attempt, History, Step } from './history.ts'

/** What transactions work on: lists and sets that are added to, or registers that are written over. */
export type Matter = 'lists' | 'registers'

export interface Run {
  readonly matter: Matter
  readonly level: Level
  readonly clients: number
  /** How many transactions they attempt together. */
  readonly transactions: number
  /** Which of several threads this is: processes and values are told apart by it. */
  readonly thread: number
}

/** Transactions after which the next places are used: lists stay short, and beginnings are frequent. */
const TURNOVER = 24
/** Places of one kind that are used at a time. */
const OPEN = 3
const THREADS_MAX = 64

/**
 * The kinds of places, by matter.
 *
 * - `L`: a list in a node, appended to blindly · `A`: one in a node that may be absent, read and put whole
 * - `H`: a list in the one edge of a node, appended to, or made anew by a removal of the node with its edge
 * - `E/`: the edges that leave a node · `N/`: the nodes with a label
 * - `R.p`, `R.q`: two properties of a node that may be absent · `Q.p`: a property of an edge that may be absent
 */
const KINDS: Readonly<Record<Matter, readonly string[]>> = {
  lists: ['L', 'A', 'H', 'E/', 'N/'],
  registers: ['R.p', 'R.q', 'Q.p'],
}

/** A node or set by number and what it is a part of: `E7/` is a set, `R7.p` a register. */
function placeOf(kind: string, number: number): string {
  return kind[0] + String(number) + kind.slice(1)
}

/** Everything that has to be there before the clients begin. */
export async function prepare(graph: Graph, transactions: number): Promise<void> {
  await graph.write((tx) => {
    tx.put('end')
    for (let number = 0; number < transactions / TURNOVER + OPEN; number++) {
      tx.put(placeOf('L', number))
      tx.put(`E${number}`)
      tx.put(placeOf('H', number))
      tx.link(placeOf('H', number), 'T', 'end')
    }
  })
}

/** What is at a place. Of a set all members; they are told apart when the whole history is known. */
function look(reader: Reader, place: string): Step {
  const [node = '', property = ''] = place.split('.')
  const key = place.slice(0, -1)
  switch (place[0]) {
    case 'L':
    case 'A':
      return ['r', place, (reader.get(place)?.props['list'] as number[] | undefined) ?? []]
    case 'H':
      return ['r', place, (heldBy(reader, place)?.props['list'] as number[] | undefined) ?? []]
    case 'E': {
      const found = [...reader.out(key, 'T')].map((edge) => Number(edge.key))
      same(reader.degree(key, 'out', 'T'), found.length)
      return ['r', place, found]
    }
    case 'N': {
      const found = [...reader.nodes({ label: key })].map((each) => Number(each.key.split(' ')[1]))
      same(reader.count({ label: key }), found.length)
      return ['r', place, found]
    }
    case 'R':
      return ['r', place, (reader.get(node)?.props[property] as number | undefined) ?? null]
    default: {
      const edge = reader.edge({ from: 'end', type: 'Q', to: 'end', key: node })
      return ['r', place, (edge?.props[property] as number | undefined) ?? null]
    }
  }
}

function heldBy(reader: Reader, key: string): Edge | undefined {
  return [...reader.out(key, 'T')][0]
}

function same(counted: number, scanned: number): void {
  if (counted !== scanned) throw new Error(`${counted} were counted and ${scanned} scanned`)
}

/** Adds or writes a value. Tells what was read for it too. */
function change(tx: Transaction, place: string, value: number): Step[] {
  const [node = '', property = ''] = place.split('.')
  const key = place.slice(0, -1)
  switch (place[0]) {
    case 'L':
      tx.append(place, 'list', [value])
      return [['append', place, value]]
    case 'A': {
      const before = look(tx, place)
      tx.put(place, { props: { list: [...(before[2] as number[]), value] } })
      return [before, ['append', place, value]]
    }
    case 'H': {
      const before = look(tx, place)
      const edge = heldBy(tx, place)
      if (edge && Math.floor(value / THREADS_MAX) % 2 === 0) tx.append(edge, 'list', [value])
      else {
        const list = [...(before[2] as number[]), value]
        tx.remove(place, { detach: true })
        tx.put(place)
        tx.link(place, 'T', 'end', { key: String(value), props: { list } })
      }
      return [before, ['append', place, value]]
    }
    case 'E':
      tx.link(key, 'T', 'end', { key: String(value) })
      return [['append', place + value, value]]
    case 'N':
      tx.put(`${key} ${value}`, { labels: [key] })
      return [['append', place + value, value]]
    case 'R':
      tx.patch(node, { props: { [property]: value } })
      return [['w', place, value]]
    default:
      tx.link('end', 'Q', 'end', { key: node, props: { [property]: value } })
      return [['w', place, value]]
  }
}

type Act = (tx: Transaction) => Step[]

/** The clients of one thread, an operation of a random one at a time. */
export class Clients {
  readonly #graph: Graph
  readonly #random: Random
  readonly #run: Run
  readonly #attempts: Attempt[] = []
  #begun = 0
  #values = 0

  constructor(graph: Graph, random: Random, run: Run) {
    this.#graph = graph
    this.#random = random
    this.#run = run
  }

  async attempts(): Promise<Attempt[]> {
    const { clients, transactions, thread } = this.#run
    const idle = Array.from({ length: clients }, (_, n) => thread + n * THREADS_MAX)
    const open: { readonly process: number; readonly turns: Generator<undefined, Promise<void> | void> }[] =
      []
    const settling = new Set<Promise<void>>()
    while (this.#begun < transactions || open.length + settling.size > 0) {
      // What has settled is told of in between, as it would be to clients that wait for it.
      if (below(this.#random, 3) === 0) await new Promise((resolve) => setImmediate(resolve))
      if (idle.length > 0 && this.#begun < transactions && below(this.#random, 2) === 0) {
        const [process = 0] = idle.splice(below(this.#random, idle.length), 1)
        this.#begun++
        open.push({ process, turns: this.#turns(process) })
      }
      if (open.length === 0) {
        if (settling.size > 0) await Promise.race(settling)
        continue
      }
      const client = pick(this.#random, open)
      const turn = client.turns.next()
      if (!turn.done) continue
      open.splice(open.indexOf(client), 1)
      const settle = async (): Promise<void> => {
        await turn.value
        settling.delete(settled)
        idle.push(client.process)
      }
      const settled = settle()
      settling.add(settled)
    }
    return this.#attempts
  }

  /** A transaction of one of three ways: a view, a function that `write` runs, or long. */
  *#turns(process: number): Generator<undefined, Promise<void> | void> {
    const began = now()
    const acts = Array.from({ length: 1 + below(this.#random, 5) }, () => this.#act())
    const note = (steps: readonly Step[], committed: boolean, version?: bigint): void => {
      const order = version === undefined ? {} : { version: Number(version) }
      this.#attempts.push({ process, began, ended: now(), committed, steps, ...order })
    }
    const isolation = this.#run.level
    switch (below(this.#random, 8)) {
      case 0: {
        using view = this.#graph.snapshot()
        const places = Array.from({ length: 3 }, () => this.#place())
        return note(
          places.map((place) => look(view, place)),
          true,
        )
      }
      case 1:
      case 2: {
        let steps: Step[] = []
        const written = this.#graph.write(
          (tx) => {
            steps = acts.flatMap((act) => act(tx))
          },
          { isolation },
        )
        return settle(written, (version) => note(steps, version !== undefined, version))
      }
      default: {
        const steps: Step[] = []
        const tx: OpenTransaction = this.#graph.begin({ isolation })
        for (const act of acts) {
          yield
          steps.push(...act(tx))
        }
        yield
        if (below(this.#random, 16) === 0) {
          tx.rollback()
          return note(steps, false)
        }
        return settle(tx.commit(), (version) => note(steps, version !== undefined, version))
      }
    }
  }

  #act(): Act {
    const place = this.#place()
    if (below(this.#random, 2) === 0) return (tx) => [look(tx, place)]
    const value = ++this.#values * THREADS_MAX + this.#run.thread
    return (tx) => change(tx, place, value)
  }

  #place(): string {
    const first = Math.floor(this.#begun / TURNOVER)
    return placeOf(pick(this.#random, KINDS[this.#run.matter]), first + below(this.#random, OPEN))
  }
}

/** Tells which commit it was, or that there was none because of a conflict; anything else fails the test. */
async function settle(
  commit: Promise<{ readonly version: bigint }>,
  told: (version: bigint | undefined) => void,
): Promise<void> {
  try {
    told((await commit).version)
  } catch (error) {
    if (!(error instanceof KaryonError) || error.code !== 'ERR_KARYON_CONFLICT') throw error
    told(undefined)
  }
}

/** The same clock for every thread. */
function now(): bigint {
  return process.hrtime.bigint()
}

/** Adds a last transaction that reads everything, and takes sets apart into their members. */
export async function complete(graph: Graph, attempts: readonly Attempt[]): Promise<History> {
  const places = new Set<string>()
  const members = new Map<string, Set<number>>()
  for (const [kind, key, value] of attempts.flatMap(({ steps }) => steps)) {
    const [set, member] = key.split('/')
    places.add(member === undefined ? key : `${set}/`)
    if (kind === 'append' && member !== undefined) {
      members.set(`${set}/`, (members.get(`${set}/`) ?? new Set()).add(value))
    }
  }
  const began = now()
  const { value } = await graph.write((tx) => [...places].map((place) => look(tx, place)))
  const last: Attempt = { process: THREADS_MAX - 1, began, ended: now(), committed: true, steps: value }
  return [...attempts, last].map((attempt) => ({
    ...attempt,
    steps: attempt.steps.flatMap((step): Step[] => {
      const [kind, key, found] = step
      if (kind !== 'r' || !key.endsWith('/')) return [step]
      return [...(members.get(key) ?? [])].map((member) => [
        'r',
        key + member,
        (found as number[]).includes(member) ? [member] : [],
      ])
    }),
  }))
}
