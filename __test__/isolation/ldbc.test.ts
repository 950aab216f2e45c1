// The ACID cases of the LDBC benchmarks (Waudby et al., "Towards Testing ACID Compliance in the LDBC Social Network Benchmark",
// 2020), on persons who know each other. What is stated for each is whether the anomaly can happen. Transactions overlap at random.
import type { Graph, OpenTransaction, Reader, Transaction } from '../../ts/index.ts'
import { below } from '../values/random.ts'
import { acidCase, inTurns, NEVER, UNDER_SNAPSHOT_ISOLATION, type Client, type Stage } from './cases.ts'

const CLIENTS = 48
/** In the cases about single persons. */
const PERSONS = 4

function times(count: number, client: (n: number) => Client): Client[] {
  return Array.from({ length: count }, (_, n) => client(n))
}

/** Clients of two sorts, taking turns with each other. */
function mixed(one: (n: number) => Client, other: (n: number) => Client): Client[] {
  return times(CLIENTS, (n) => (n % 2 === 0 ? one(n) : other(n)))
}

async function persons({ graph }: Stage, count: number, props: Record<string, number> = {}): Promise<void> {
  await graph.write((tx) => {
    for (let n = 0; n < count; n++) tx.put(`person ${n}`, { labels: ['Person'], props: { ...props, id: n } })
  })
}

function somebody({ random }: Stage): string {
  return `person ${below(random, PERSONS)}`
}

function numberOf(reader: Reader, key: string, name: string): number {
  return (reader.get(key)?.props[name] as number | undefined) ?? 0
}

function patch(tx: Transaction, key: string, name: string, value: number): void {
  tx.patch(key, { props: { [name]: value } })
}

/** What committed transactions must have made of the persons: each an email more, and somebody new who is known. */
function befriend(stage: Stage, n: number, give: boolean): Client {
  return function* (tx) {
    const person = somebody(stage)
    tx.append(person, 'emails', [`${n}@new`])
    yield
    tx.put(`new ${n}`, { labels: ['Person'] })
    tx.link(person, 'KNOWS', `new ${n}`, { props: { since: n } })
    yield
    return give
  }
}

function countAll(graph: Graph): readonly number[] {
  const people = [...graph.nodes({ label: 'Person' })]
  const emails = people.map(({ props }) => (props['emails'] as unknown[] | undefined)?.length ?? 0)
  const known = people.map(({ key }) => graph.degree(key, 'out', 'KNOWS'))
  const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)
  return [people.length - PERSONS, sum(emails), sum(known)]
}

acidCase('Atomicity-C: a committed transaction is there in part', NEVER, async (stage) => {
  await persons(stage, PERSONS)
  const committed = await inTurns(
    stage,
    times(CLIENTS, (n) => befriend(stage, n, true)),
  )
  const count = committed.filter(Boolean).length
  return count === 0 || countAll(stage.graph).some((number) => number !== count)
})

acidCase('Atomicity-RB: an aborted transaction is there in part', NEVER, async (stage) => {
  await persons(stage, PERSONS)
  const committed = await inTurns(
    stage,
    mixed(
      (n) => befriend(stage, n, true),
      (n) => befriend(stage, n, false),
    ),
  )
  const count = committed.filter(Boolean).length
  return count === 0 || countAll(stage.graph).some((number) => number !== count)
})

acidCase(
  'G0, dirty writes: two persons and what is between them are written in different orders',
  NEVER,
  async (stage) => {
    await persons(stage, 2)
    const edge = { from: 'person 0', type: 'KNOWS', to: 'person 1' }
    await stage.graph.write((tx) => tx.link(edge.from, edge.type, edge.to))
    const committed = await inTurns(
      stage,
      times(CLIENTS, (n) => {
        return function* (tx) {
          for (const target of [edge.from, edge.to, edge]) {
            tx.append(target, 'history', [n])
            yield
          }
        }
      }),
    )
    const histories = [stage.graph.get(edge.from), stage.graph.get(edge.to), stage.graph.edge(edge)].map(
      (found) => (found?.props['history'] ?? []) as number[],
    )
    const all = committed.filter(Boolean).length
    return all === 0 || histories.some((each) => each.join() !== histories[0]?.join() || each.length !== all)
  },
)

acidCase('G1a, aborted reads: an even version, which is always taken back, is seen', NEVER, async (stage) => {
  await persons(stage, PERSONS, { version: 1 })
  let seen = false
  const write: Client = function* (tx) {
    const person = somebody(stage)
    patch(tx, person, 'version', 2)
    yield
    tx.get(person)
    yield
    return false
  }
  const read: Client = function* (tx) {
    seen ||= numberOf(tx, somebody(stage), 'version') % 2 === 0
    yield
    seen ||= numberOf(tx, somebody(stage), 'version') % 2 === 0
  }
  await inTurns(
    stage,
    mixed(
      () => write,
      () => read,
    ),
  )
  return seen
})

acidCase(
  'G1b, intermediate reads: an even version, which is always made odd, is seen',
  NEVER,
  async (stage) => {
    await persons(stage, PERSONS, { version: 99 })
    let seen = false
    const write: Client = function* (tx) {
      const person = somebody(stage)
      patch(tx, person, 'version', 0)
      yield
      patch(tx, person, 'version', 1 + 2 * below(stage.random, 1_000))
      yield
    }
    const read: Client = function* (tx) {
      seen ||= numberOf(tx, somebody(stage), 'version') % 2 === 0
      yield
      seen ||= numberOf(tx, somebody(stage), 'version') % 2 === 0
    }
    await inTurns(
      stage,
      mixed(
        () => write,
        () => read,
      ),
    )
    return seen
  },
)

acidCase('G1c, circular information flow: two have read each other’s version', NEVER, async (stage) => {
  await persons(stage, PERSONS)
  /** Whose version each of those that were committed has read; they are numbered from 1. */
  const readBy = Array.from({ length: CLIENTS }, () => 0)
  const committed = await inTurns(
    stage,
    times(CLIENTS, (n) => {
      return function* (tx) {
        patch(tx, somebody(stage), 'version', n + 1)
        yield
        readBy[n] = numberOf(tx, somebody(stage), 'version')
        yield
      }
    }),
  )
  const sees = (a: number, b: number): boolean => a !== b && readBy[a] === b + 1
  return committed.some((done, a) => done && committed.some((too, b) => too && sees(a, b) && sees(b, a)))
})

/** A transaction that reads twice, with others in between. */
function twice<T>(read: (tx: OpenTransaction) => T, compare: (first: T, second: T) => void): Client {
  return function* (tx) {
    const first = read(tx)
    yield
    yield
    compare(first, read(tx))
  }
}

acidCase('IMP, item-many-preceders: a person read twice has changed', NEVER, async (stage) => {
  await persons(stage, 1, { version: 1 })
  let changed = false
  const write: Client = function* (tx) {
    patch(tx, 'person 0', 'version', numberOf(tx, 'person 0', 'version') + 1)
    yield
  }
  const read = twice(
    (tx) => numberOf(tx, 'person 0', 'version'),
    (first, second) => (changed ||= first !== second),
  )
  await inTurns(
    stage,
    mixed(
      () => write,
      () => read,
    ),
  )
  return changed || stage.graph.get('person 0')?.props['version'] === 1
})

acidCase(
  'PMP, predicate-many-preceders: those who like a post, counted twice, are more',
  NEVER,
  async (stage) => {
    await persons(stage, CLIENTS)
    await stage.graph.write((tx) => tx.put('post', { labels: ['Post'] }))
    let changed = false
    const like = (n: number): Client =>
      function* (tx) {
        tx.link(`person ${n}`, 'LIKES', 'post')
        yield
      }
    const read = twice(
      (tx) => [tx.degree('post', 'in', 'LIKES'), [...tx.in('post', 'LIKES')].length].join(),
      (first, second) => (changed ||= first !== second),
    )
    await inTurns(
      stage,
      mixed(like, () => read),
    )
    return changed || stage.graph.degree('post', 'in') === 0
  },
)

/** Persons who know each other in a circle, all written together. */
const CIRCLE = [0, 1, 2, 3].map((n) => `person ${n}`)

async function circle(stage: Stage): Promise<void> {
  await persons(stage, CIRCLE.length, { version: 0 })
  await stage.graph.write((tx) => {
    for (const [n, person] of CIRCLE.entries()) tx.link(person, 'KNOWS', CIRCLE[(n + 1) % CIRCLE.length]!)
  })
}

/** The versions along the circle. */
function around(tx: OpenTransaction): number[] {
  const versions: number[] = []
  for (let person = 'person 0'; versions.length < CIRCLE.length;) {
    versions.push(numberOf(tx, person, 'version'))
    person = [...tx.out(person, 'KNOWS')][0]?.to ?? ''
  }
  return versions
}

/** Writes all of the circle, beginning anywhere. */
function advance({ random }: Stage): Client {
  return function* (tx) {
    const first = below(random, CIRCLE.length)
    for (let n = 0; n < CIRCLE.length; n++) {
      const person = CIRCLE[(first + n) % CIRCLE.length]!
      patch(tx, person, 'version', numberOf(tx, person, 'version') + 1)
      yield
    }
  }
}

acidCase(
  'OTV, observed transaction vanishes: a circle is older when it is read again',
  NEVER,
  async (stage) => {
    await circle(stage)
    let vanished = false
    const read = twice(around, (first, second) => (vanished ||= Math.max(...first) > Math.min(...second)))
    await inTurns(
      stage,
      mixed(
        () => advance(stage),
        () => read,
      ),
    )
    return vanished || numberOf(stage.graph, 'person 0', 'version') === 0
  },
)

acidCase(
  'FR, fractured reads: a circle is read in part before and in part after a write',
  NEVER,
  async (stage) => {
    await circle(stage)
    let fractured = false
    const read = twice(around, (first, second) => {
      fractured ||= new Set([...first, ...second]).size !== 1
    })
    await inTurns(
      stage,
      mixed(
        () => advance(stage),
        () => read,
      ),
    )
    return fractured || numberOf(stage.graph, 'person 0', 'version') === 0
  },
)

acidCase('LU, lost update: a person has more friends than were counted', NEVER, async (stage) => {
  await persons(stage, CLIENTS)
  await inTurns(
    stage,
    times(CLIENTS, (n) => {
      return function* (tx) {
        const person = somebody(stage)
        const friends = numberOf(tx, person, 'friends')
        yield
        tx.link(person, 'KNOWS', `person ${n}`, { key: String(n) })
        patch(tx, person, 'friends', friends + 1)
        yield
      }
    }),
  )
  return Array.from({ length: PERSONS }, (_, n) => `person ${n}`).some(
    (person) => numberOf(stage.graph, person, 'friends') !== stage.graph.degree(person, 'out', 'KNOWS'),
  )
})

acidCase('WS, write skew: a pair has spent more than it had', UNDER_SNAPSHOT_ISOLATION, async (stage) => {
  const pairs = CLIENTS
  await persons(stage, 2 * pairs, { value: 75 })
  await stage.graph.write((tx) => {
    for (let n = 0; n < pairs; n++) tx.link(`person ${2 * n}`, 'KNOWS', `person ${2 * n + 1}`)
  })
  const spend = (pair: number, own: number): Client =>
    function* (tx) {
      const [one, other] = [`person ${2 * pair + own}`, `person ${2 * pair + 1 - own}`]
      const left = numberOf(tx, one, 'value') + numberOf(tx, other, 'value')
      yield
      if (left >= 100) patch(tx, one, 'value', numberOf(tx, one, 'value') - 100)
    }
  await inTurns(
    stage,
    times(2 * pairs, (n) => spend(n >> 1, n & 1)),
  )
  return Array.from({ length: pairs }, (_, n) => n).some(
    (n) =>
      numberOf(stage.graph, `person ${2 * n}`, 'value') +
        numberOf(stage.graph, `person ${2 * n + 1}`, 'value') <
      0,
  )
})
