// A random crew, and what must hold of it whatever happened.
import { setImmediate as turnOfLoop, setTimeout as pause } from 'node:timers/promises'
import { OwnedRef, Reference, type SupervisorRef } from '../../../ts/cells/ref.ts'
import { Kernel, supervisor, type CellTree, type KernelEvent, type Strategy } from '../../../ts/index.ts'
import { below, pick, seededRandom, type Random } from '../../values/random.ts'
import * as actors from './actors.ts'
import {
  Journal,
  Kind,
  WAYS,
  post,
  rumours,
  type Act,
  type ActorMessages,
  type Entry,
  type Letter,
  type Peer,
} from './actors.ts'

/**
 * How long everything may take to come to rest on a busy machine. It is counted in ticks of the event loop: what a machine does not run, be it that it
 * stands still altogether, does not count.
 */
const PATIENCE_MS: number = Number(process.env['KARYON_PATIENCE_MS'] ?? 60_000)
const TICK_MS = 50
const PATIENCE_TICKS = PATIENCE_MS / TICK_MS
/** Whoever asks leaves it to `within` how long. */
const PATIENT = { timeoutMs: 3_600_000 } as const
/** Whoever sends from the test. */
const MAIN = 0

type Actor = OwnedRef<ActorMessages>

interface Member extends Peer {
  readonly name: string
  /** Whose child it is, if that does not restart all of them together. */
  readonly crew: SupervisorRef | undefined
  readonly alone: boolean
}

/** Chooses what letters say. */
class Script {
  readonly random: Random
  /** How many acts may still cost a worker. */
  dooms: number
  #labels = 0

  constructor(seed: number, dooms: number) {
    this.random = seededRandom(seed)
    this.dooms = dooms
  }

  oneIn(sides: number): boolean {
    return this.random() * sides < 1
  }

  letter(peers: readonly Peer[], keeper: Actor, depth = 0): Letter {
    const count = below(this.random, depth === 0 ? 5 : 4 - depth)
    const acts = Array.from({ length: Math.max(0, count) }, () => this.#act(peers, keeper, depth))
    return this.#letter(acts)
  }

  #letter(acts: readonly Act[]): Letter {
    // Some go word by word, some as parcels, some are too large for the ring.
    const weight = this.oneIn(8) ? below(this.random, 9_000) : below(this.random, 20)
    return { label: ++this.#labels, acts, ballast: 'x'.repeat(weight), weight }
  }

  /** One of which all that follows is the same, however long anything takes: no circles, no limits of time, and no order among senders counts. */
  plain(reader: Peer, peers: readonly Peer[], depth: number): Letter {
    const acts = Array.from({ length: below(this.random, 4 - depth) }, (): Act => {
      if (this.oneIn(3))
        return { do: pick(this.random, ['throw', 'reject', 'break', 'shut', 'open', 'write'] as const) }
      if (this.oneIn(8)) return { do: 'slow', ms: below(this.random, 3) }
      const to = pick(this.random, peers)
      const asks = to.number > reader.number && this.oneIn(3)
      const way = asks ? 'ask' : pick(this.random, ['note', 'hear', 'urgent', 'deliver'] as const)
      const letter = way === 'note' ? this.#letter([]) : this.plain(to, peers, depth + 1)
      return { do: 'send', way, to, letter, waits: asks || this.oneIn(2) }
    })
    return this.#letter(acts)
  }

  send(peers: readonly Peer[], keeper: Actor, depth: number): Extract<Act, { do: 'send' }> {
    const way = pick(this.random, [
      'note',
      'note',
      'hear',
      'hear',
      'urgent',
      'ask',
      'ask',
      'deliver',
    ] as const)
    const hasty = way === 'ask' && this.oneIn(4)
    return {
      do: 'send',
      way,
      to: pick(this.random, peers),
      letter: way === 'note' ? this.#letter([]) : this.letter(peers, keeper, depth + 1),
      waits: this.oneIn(2),
      ...(hasty && { timeoutMs: 1 + below(this.random, 20) }),
      // Two that wait for room in each other's mailbox would do so for ever.
      ...((way === 'deliver' || (way === 'ask' && this.oneIn(6))) && { abortMs: below(this.random, 30) }),
    }
  }

  #act(peers: readonly Peer[], keeper: Actor, depth: number): Act {
    const to = pick(this.random, peers)
    const ms = below(this.random, 5)
    const dice = below(this.random, 100)
    if (dice < 50 && depth < 3) return this.send(peers, keeper, depth)
    if (dice < 54) return { do: 'watch', to, of: this.oneIn(2) ? 'cell' : 'incarnation' }
    if (dice < 56) return { do: 'link', to }
    if (dice < 60) return { do: pick(this.random, ['slow', 'spin', 'after', 'every', 'run'] as const), ms }
    if (dice < 64) return { do: 'keep', to: keeper as never }
    if (dice < 67) return { do: pick(this.random, ['pause', 'resume', 'inspect'] as const), to }
    if (dice < 70 && depth < 3) {
      const letters = Array.from({ length: below(this.random, 3) }, () =>
        this.letter(peers, keeper, depth + 1),
      )
      return { do: 'spawn', tier: this.oneIn(2) ? 'inline' : 'thread', letters }
    }
    if (dice < 72 && this.dooms > 0) {
      this.dooms--
      return { do: pick(this.random, ['exit', 'uncaught', 'loop', 'later'] as const) }
    }
    return {
      do: pick(this.random, [
        ...(['throw', 'reject', 'break', 'shut', 'shut', 'open', 'open', 'contend', 'write'] as const),
        ...(['publish', 'subscribe', 'dismiss'] as const),
        ...(this.oneIn(4) ? (['end'] as const) : []),
      ]),
    }
  }
}

function grouped<T, K>(items: Iterable<T>, key: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>()
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item])
  return groups
}

/** A kernel and what happens in it. */
class World {
  readonly seed: number
  readonly kernel: Kernel
  readonly journal: Journal = new Journal()
  readonly events: KernelEvent[] = []
  ticks = 0
  readonly #clock = setInterval(() => this.ticks++, TICK_MS).unref()
  /** What somebody was promised and has not got yet. */
  readonly open: Set<Promise<unknown>> = new Set()

  constructor(seed: number, count: number, spare: boolean) {
    this.seed = seed
    const kernel = Kernel.memory({ seed, workers: { count, spare } })
    this.kernel = kernel
    void (async () => {
      for await (const event of kernel.events({ buffer: 1_000_000 })) this.events.push(event)
    })()
  }

  spawnArgs(): { readonly journal: SharedArrayBuffer; readonly number: number } {
    return { journal: this.journal.memory, number: this.journal.nextCell() }
  }

  post(act: Extract<Act, { do: 'send' }>): Promise<unknown> {
    const ask = (to: Peer['ref'], name: string, payload: unknown, options: object): Promise<unknown> =>
      to.ask(name as never, payload as never, options)
    const over: Promise<unknown> = post(this.journal, { number: MAIN, incarnation: 1, ask }, act)
    this.open.add(over)
    void over.finally(() => this.open.delete(over))
    return over
  }

  /** Every living cell. */
  living(): { readonly info: CellTree; readonly ref: Actor }[] {
    const all = (tree: CellTree): CellTree[] => [tree, ...tree.children.flatMap(all)]
    return all(this.kernel.cells()).flatMap((info) => {
      const ref = info.kind === 'cell' ? this.kernel.find(info.path) : undefined
      return ref instanceof OwnedRef ? [{ info, ref: ref as Actor }] : []
    })
  }

  get quiet(): boolean {
    const { sent, ended, failed, refused, deadLetters, conflicts, asks } = this.kernel.stats().cells
    return asks === 0 && sent === ended + failed + refused + deadLetters + conflicts
  }

  /** Resolves once every message has its outcome and nobody waits. */
  async rest(calm = 6): Promise<void> {
    const until = this.ticks + PATIENCE_TICKS
    for (let looks = 0; looks < calm; looks++) {
      const opened = this.living().map(({ ref, info }) => {
        ref.resume()
        // What was put aside comes back.
        return info.path.endsWith('keeper')
          ? undefined
          : ref.ask('open', undefined, { timeoutMs: 500 }).catch(() => {})
      })
      await this.within('opening', Promise.all(opened))
      await pause(5)
      if (!this.quiet || this.open.size > 0) looks = -1
      if (this.ticks > until || this.kernel.stats().cells.restarts > 20_000)
        throw new Error(`stuck: ${this.report()}`)
    }
  }

  report(): string {
    const cells = this.living().map(({ info }) => {
      const { path, isolation, status, incarnation, mailbox } = info
      return `${path} ${isolation} ${status} #${incarnation} ${mailbox?.waiting}`
    })
    const restarts = this.events
      .slice(-4)
      .map((event) => `${JSON.stringify(event)} ${'error' in event ? String(event.error) : ''}`)
    const counts = JSON.stringify(this.kernel.stats().cells)
    return [counts, `${this.open.size} promises`, ...cells, 'at last:', ...restarts].join('\n')
  }

  /** Waits for what must come, and tells what everything looks like where it does not. */
  async within<T>(what: string, over: Promise<T>): Promise<T> {
    const until = this.ticks + PATIENCE_TICKS
    const bound = new AbortController()
    const late = async (): Promise<never> => {
      while (this.ticks < until) await pause(TICK_MS, undefined, { ref: false, signal: bound.signal })
      throw new Error(`stuck in ${what}: ${this.report()}`)
    }
    try {
      return await Promise.race([over, late()])
    } finally {
      bound.abort()
    }
  }

  async close(): Promise<void> {
    await this.within('close', this.kernel.close())
    clearInterval(this.#clock)
  }
}

/** Lets a random crew live. */
export async function storm(seed: number): Promise<void> {
  const random = seededRandom(seed)
  const script = new Script(seed + 1, below(random, 5))
  const world = new World(seed, 1 + below(random, 3), random() < 0.5)
  const { kernel } = world
  const kinds = [
    ...[actors.inlineActor, actors.threadActor, actors.threadActor],
    ...[actors.inlineRoomy, actors.threadRoomy, actors.threadRoomy],
    ...[actors.inlineNewest, actors.threadNewest],
  ]
  const restart = { intensity: 10_000, periodMs: 1_000 }
  const crews = Array.from({ length: 2 }, (_, at) => {
    const strategy = pick(random, ['one_for_one', 'one_for_all', 'rest_for_one'] as const)
    const children = Array.from({ length: 2 + below(random, 3) }, () => {
      const args = world.spawnArgs()
      // One that has ended comes back with its group as another cell, of the same number.
      const kept = strategy !== 'one_for_one' || random() < 0.7
      const how = kept ? ('permanent' as const) : ('transient' as const)
      return { name: `actor-${args.number}`, cell: pick(random, kinds), args, restart: how, shutdownMs: 100 }
    })
    return { strategy, ref: kernel.spawn(supervisor({ name: `crew-${at}`, strategy, restart, children })) }
  })
  const keepers = kernel.spawn(
    supervisor({
      name: 'keepers',
      restart,
      children: [{ name: 'keeper', cell: pick(random, [actors.inlineKeeper, actors.threadKeeper]) }],
    }),
  )
  const keeper = keepers.child('keeper') as unknown as Actor
  const memberOf = (name: string, crew: SupervisorRef | undefined, owned: Actor): Member => ({
    number: Number(/\d+$/.exec(name)?.[0]),
    ref: random() < 0.5 ? owned : (owned.address as never),
    owned,
    name,
    crew,
    alone: owned.path === `root/${name}`,
  })
  const loner = (): Member => {
    const args = world.spawnArgs()
    const name = `actor-${args.number}`
    return memberOf(name, undefined, kernel.spawn(pick(random, kinds), { name, args }))
  }
  const members: Member[] = crews.flatMap(({ strategy, ref: crew }) =>
    crew
      .children()
      .map(({ name }) => memberOf(name, strategy === 'one_for_one' ? crew : undefined, crew.child(name))),
  )
  members.push(loner(), loner())
  // Mostly the workers are up when it begins.
  if (script.oneIn(1.5))
    await world.within(
      'first',
      Promise.all(members.map(({ owned }) => owned.ask('ping', undefined, PATIENT))),
    )
  let terminated = 0

  for (let round = 0; round < 150; round++) {
    const member = pick(random, members)
    const dice = below(random, 100)
    if (dice < 70) void world.post(script.send(members, keeper, 0))
    else if (dice < 73) member.owned.pause()
    else if (dice < 76) member.owned.resume()
    else if (dice < 78) kernel.publish(rumours, MAIN)
    else if (dice < 80) member.owned.inspect().catch(() => {})
    else if (dice < 83 && member.alone) {
      void (script.oneIn(2) ? member.owned.stop() : member.owned.kill())
      members.splice(members.indexOf(member), 1, loner())
    } else if (dice < 85 && member.crew !== undefined) {
      // Another in its place, which stands behind all others.
      const { crew, name } = member
      await world.within('terminateChild', crew.terminateChild(name))
      crew.deleteChild(name)
      const args = world.spawnArgs()
      const child = { name: `actor-${args.number}`, cell: pick(random, kinds), args, shutdownMs: 100 }
      members.splice(members.indexOf(member), 1, memberOf(child.name, crew, crew.startChild(child) as Actor))
    } else if (dice < 86 && terminated < 2) {
      const cell = Reference.cellOf(member.owned)
      const thread = cell.runtime.threads?.threadOf(cell)
      if (thread !== undefined) {
        terminated++
        void thread.worker.terminate()
      }
    } else if (script.oneIn(2)) await turnOfLoop()
    else await pause(below(random, 4))
  }
  for (const { owned } of members) owned.resume()
  await world.rest()
  const living = new Map<string, number>()
  for (const { info, ref } of world.living())
    living.set(info.path, (await world.within('ping', ref.ask('ping', undefined, PATIENT))) as number)
  judge(
    world,
    crews.map(({ ref }) => ref),
    living,
    terminated,
  )
  for (const crew of crews) await probe(world, crew, random)
  await world.close()
}

/** What a way's message is called. */
const MESSAGES = WAYS.map((way) => (way === 'note' || way === 'urgent' ? way : 'hear'))

/** The number in a cell's name. */
function numberOf(path: string): number {
  return Number(/\d+$/.exec(path)?.[0] ?? -1)
}

/** Whatever happened, this holds. */
function judge(
  world: World,
  crews: readonly SupervisorRef[],
  living: ReadonlyMap<string, number>,
  terminated: number,
): void {
  const { journal, events, kernel } = world
  const entries = journal.entries()
  const of = (kind: number): readonly Entry[] => entries.filter((entry) => entry.kind === kind)
  const wrong: string[] = []
  const expect = (holds: boolean, what: string): void => {
    if (!holds) wrong.push(what)
  }

  // No letter is read twice, unless a conflict undid it.
  const begins = grouped(of(Kind.begins), ({ letter }) => letter)
  const contends = grouped(of(Kind.contends), ({ letter }) => letter)
  for (const [letter, read] of begins)
    expect(read.length === 1 || contends.has(letter), `letter ${letter} was read ${read.length} times`)

  // Nor in an incarnation of which a turn has failed.
  const failed = new Set<string>()
  for (const { kind, cell, incarnation, letter } of entries) {
    const life = `${cell}#${incarnation}`
    if (kind === Kind.fails) failed.add(life)
    else if (kind === Kind.begins)
      expect(!failed.has(life), `letter ${letter} was read by ${life}, which had failed`)
  }

  // None overtakes another of its sender.
  const tries = new Map(of(Kind.tries).map((entry) => [entry.letter, entry]))
  const newest = new Map<string, number>()
  const met = new Set<number>()
  for (const { kind, letter } of entries) {
    const sent = tries.get(letter)
    if ((kind !== Kind.begins && kind !== Kind.defers) || sent === undefined || met.has(letter)) continue
    met.add(letter)
    const way = `${sent.cell}#${sent.incarnation} to ${sent.a}${WAYS[sent.b] === 'urgent' ? ', urgent' : ''}`
    const before = newest.get(way) ?? 0
    expect(letter > before, `letter ${letter} (${WAYS[sent.b]}) from ${way} was overtaken by ${before}`)
    newest.set(way, letter)
  }

  // Each that was sent and never read is known to be lost.
  const results = new Map(of(Kind.tried).map((entry) => [entry.letter, entry.a]))
  const known = grouped(
    events.filter((event) => event.type === 'message.dead-letter' || event.type === 'message.refused'),
    ({ path, message }) => `${message} to ${numberOf(path)}`,
  )
  const unread = grouped(
    [...tries.values()].filter(
      ({ letter }) => !begins.has(letter) && [0, 1].includes(results.get(letter) ?? 2),
    ),
    ({ a, b }) => `${MESSAGES[b]} to ${a}`,
  )
  for (const [way, lost] of unread)
    expect(
      // Of a cell that was forgotten nobody knows what its messages are called.
      lost.length <= (known.get(way)?.length ?? 0) + (known.get(way.replace(/^\w+/, ''))?.length ?? 0),
      `${lost.length} ${way} vanished, ${known.get(way)?.length} are known of: ${lost.map(({ letter }) => letter)}`,
    )

  // Each promise of a cell that lives is settled, once, with its own answer.
  const settled = grouped(of(Kind.settled), ({ letter }) => letter)
  for (const [letter, outcomes] of settled) {
    expect(outcomes.length === 1, `letter ${letter} was settled ${outcomes.length} times`)
    expect(outcomes[0]?.a !== 2, `letter ${letter} got another answer`)
  }
  const newestOf = new Map<number, number>()
  for (const { cell, incarnation } of of(Kind.init)) newestOf.set(cell, incarnation)
  const alive = new Map([...living].map(([path, incarnation]) => [numberOf(path), incarnation]))
  for (const { letter, cell, incarnation, b } of tries.values()) {
    const awaited = WAYS[b] === 'ask' || WAYS[b] === 'deliver'
    const lives = cell === MAIN || alive.get(cell) === incarnation
    if (awaited && lives && results.get(letter) === 1)
      expect(settled.has(letter), `letter ${letter} (${WAYS[b]}) of ${cell} was never settled`)
  }

  // Incarnations are told in order, each once; and they are what lives.
  const told = grouped(
    events.filter((event) => event.type === 'cell.restarted'),
    ({ path }) => path,
  )
  for (const [path, restarts] of told)
    restarts.reduce((before, { incarnation }) => {
      expect(incarnation === before + 1, `${path}: ${incarnation} after ${before}`)
      return incarnation
    }, 1)
  for (const [cell, incarnation] of alive)
    if (newestOf.has(cell)) expect(newestOf.get(cell) === incarnation, `${cell} is ${incarnation}`)
  const inits = grouped(of(Kind.init), ({ cell, incarnation }) => `${cell}#${incarnation}`)
  for (const [life, begun] of inits) expect(begun.length === 1, `${life} began ${begun.length} times`)

  // Who watches is told once.
  const watches = grouped(of(Kind.watches), ({ cell, a }) => `${cell} of ${a}`)
  const downs = grouped(of(Kind.down), ({ cell, a }) => `${cell} of ${a}`)
  for (const [pair, all] of downs)
    expect(all.length <= (watches.get(pair)?.length ?? 0), `${pair}: ${all.length} downs`)
  const gone = new Set(
    events
      .filter(({ type }) => type === 'cell.stopped' || type === 'cell.gave-up')
      .map((event) => numberOf((event as { path: string }).path)),
  )
  for (const [pair, all] of watches) {
    const { cell, a: watched } = all[0] as Entry
    if (!gone.has(watched) || alive.has(watched)) continue
    const own = all.filter(({ incarnation }) => alive.get(cell) === incarnation).length
    const heard = downs.get(pair)?.filter(({ incarnation }) => alive.get(cell) === incarnation).length ?? 0
    expect(heard >= own, `${pair}: ${own} watches, ${heard} downs`)
  }

  // What is linked to an incarnation that ended, but by itself, is not what it was.
  const enders = new Set(
    events
      .filter((event) => 'reason' in event && event.reason === 'ended')
      .map((event) => numberOf((event as { path: string }).path)),
  )
  entries.forEach(({ kind, cell, incarnation, a: other }, at) => {
    if (kind !== Kind.links || enders.has(cell) || enders.has(other)) return
    const initsSince = (place: number): number =>
      entries.slice(place).filter((entry) => entry.kind === Kind.init && entry.cell === other).length
    // Where the other one began anew before whoever set the link could say so, that counts.
    const bound = entries.findLastIndex(
      (entry, place) =>
        place < at &&
        entry.kind === Kind.binds &&
        entry.cell === cell &&
        entry.incarnation === incarnation &&
        entry.a === other,
    )
    if (alive.get(cell) === incarnation)
      expect(
        initsSince(at) < 2 && alive.has(other),
        `${cell}#${incarnation} outlived ${other}, to which it is linked`,
      )
    else
      expect(
        initsSince(bound) > 0 || !alive.has(other),
        `${other} outlived ${cell}#${incarnation}, which is linked to it`,
      )
  })

  // Nothing is left in a mailbox, and all room is free again.
  for (const { info } of world.living())
    expect(info.mailbox?.waiting === 0, `${info.mailbox?.waiting} messages wait for ${info.path}`)
  // No worker is lost that nobody ended.
  const lost = events.filter((event) => event.type === 'worker.lost')
  const killed = of(Kind.dooms).length + terminated
  expect(
    lost.length <= killed,
    `${lost.length} workers lost, ${killed} of them ended: ${lost.map(({ error }) => String(error.cause ?? error.message))}`,
  )
  for (const { error } of lost)
    if (error.cause instanceof Error)
      expect(/nobody catches it/.test(error.cause.message), String(error.cause.stack))
  expect(
    !events.some(({ type }) => type === 'events.lagged' || type === 'isolate.tainted'),
    'lagged or tainted',
  )

  // What must live does.
  for (const crew of crews)
    for (const { name, restart, ref } of crew.children())
      if (restart === 'permanent') expect(ref !== undefined, `${crew.path}/${name} is gone`)

  // What is durable was applied once.
  for (const { letter, cell, incarnation } of of(Kind.kept)) {
    const times = kernel.graph.get(`${cell}#${incarnation} ${letter}`)?.props['times']
    expect(times === 1, `${letter} of ${cell}#${incarnation} was applied ${String(times)} times`)
  }
  if (wrong.length > 0) throw new Error(wrong.slice(0, 12).join('\n'))
}

/** At rest, the strategy of a supervisor says exactly who begins anew when one child fails. */
async function probe(
  world: World,
  { strategy, ref: crew }: { readonly strategy: Strategy; readonly ref: SupervisorRef },
  random: Random,
): Promise<void> {
  const children = crew.children().flatMap(({ ref }) => (ref instanceof OwnedRef ? [ref as Actor] : []))
  if (children.length === 0) return
  const lives = (): Promise<number[]> =>
    world.within(
      'probe',
      Promise.all(children.map((ref) => ref.ask('ping', undefined, PATIENT) as Promise<number>)),
    )
  const before = await lives()
  const at = below(random, children.length)
  const letter = { label: 0, acts: [{ do: 'throw' }], ballast: '', weight: 0, number: 0 }
  const fails = children[at]?.ask('hear', letter, PATIENT).catch(() => {})
  await world.within('failure', Promise.resolve(fails))
  const after = await lives()
  // Links reach further.
  const linked = world.journal.entries().some(({ kind }) => kind === Kind.links)
  const expected = before.map((life, child) => {
    const falls = child === at || strategy === 'one_for_all' || (strategy === 'rest_for_one' && child > at)
    return falls ? life + 1 : life
  })
  const fits = after.every((life, child) => (linked ? life >= expected[child]! : life === expected[child]))
  if (!fits) throw new Error(`${strategy}, ${at} fails: ${before} became ${after}, not ${expected}`)
}

/** The same script where all cells are in one tier: what each of them reads of whom, in what order, and how often each begins anew. */
export async function play(seed: number, tier: 'inline' | 'thread'): Promise<readonly string[]> {
  const random = seededRandom(seed)
  const script = new Script(seed + 1, 0)
  const world = new World(seed, 2, false)
  const definition = tier === 'inline' ? actors.inlineRoomy : actors.threadRoomy
  const crew = world.kernel.spawn(
    supervisor({
      name: 'crew',
      restart: { intensity: 10_000, periodMs: 1_000 },
      children: Array.from({ length: 4 }, () => {
        const args = world.spawnArgs()
        return { name: `actor-${args.number}`, cell: definition, args }
      }),
    }),
  )
  const peers = crew.children().map(({ name }): Peer => {
    const owned = crew.child(name, definition)
    return { number: numberOf(name), ref: owned.address, owned }
  })
  await world.within('first', Promise.all(peers.map(({ owned }) => owned.ask('ping', undefined, PATIENT))))
  for (let step = 0; step < 30; step++) {
    const to = pick(random, peers)
    void world.post({
      do: 'send',
      way: pick(random, WAYS),
      to,
      letter: script.plain(to, peers, 0),
      waits: false,
    })
    if (script.oneIn(3)) await world.rest(1)
  }
  await world.rest(2)
  const entries = world.journal.entries()
  const senders = new Map(
    entries.filter(({ kind }) => kind === Kind.tries).map((entry) => [entry.letter, entry]),
  )
  const read = grouped(
    entries.filter(({ kind }) => kind === Kind.begins),
    ({ cell, letter }) => {
      const { cell: sender, b = 0 } = senders.get(letter) ?? {}
      // Notes may have been put aside, and others went on before them.
      return `${sender} to ${cell}, ${MESSAGES[b]}`
    },
  )
  const lives = await Promise.all(
    peers.map(async ({ owned }) => `${owned.path} #${String(await owned.ask('ping', undefined, PATIENT))}`),
  )
  await world.close()
  // In what order a cell reads of several is nobody's, and so is the order in which it passes that on.
  const labels = (way: string, letters: readonly Entry[]): readonly number[] => {
    const inOrder = letters.map(({ a }) => a)
    return way.startsWith(`${MAIN} `) ? inOrder : inOrder.toSorted((a, b) => a - b)
  }
  return [...lives, ...[...read].map(([way, letters]) => `${way}: ${labels(way, letters)}`).toSorted()]
}
