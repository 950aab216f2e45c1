// Cells that do what letters tell them, in either tier, and write down what happens where no death can take it: in memory that all share.
import {
  KaryonError,
  cell,
  control,
  message,
  topic,
  type CellDefinition,
  type CellRef,
  type Message,
  type OwnedRef,
  type Topic,
} from '../../../ts/index.ts'
import type { Untyped } from '../../../ts/cells/definition.ts'

const module = import.meta.url

/** What is written down: what happened, to which cell and which incarnation of it, with which letter, and whatever else. */
export const Kind = {
  /** An incarnation begins. */
  init: 1,
  /** A letter is about to be sent; to which cell, by what kind of message. */
  tries: 2,
  /** It was sent, refused (0), or could not be (2). */
  tried: 3,
  /** A turn begins with a letter. */
  begins: 4,
  /** It puts it aside instead. */
  defers: 5,
  /** It may be undone by a conflict, and begin again. */
  contends: 6,
  /** An ask or a delivery is over: with its own answer (1), refused, or with another's (2). */
  settled: 7,
  /** A watch is set over a cell. */
  watches: 8,
  /** It told. */
  down: 9,
  /** A link to a cell is set; by then that cell may have begun anew. */
  links: 10,
  /** What follows costs its worker. */
  dooms: 11,
  /** Something was published; how many had room. */
  published: 12,
  /** It arrived. */
  heard: 13,
  /** A durable cell has answered that it applied something. */
  kept: 14,
  /** Its turn fails, now or at its end. */
  fails: 15,
  /** A link to a cell is about to be set. */
  binds: 16,
} as const

/** How a letter is sent. */
export const WAYS = ['note', 'hear', 'urgent', 'ask', 'deliver'] as const
export type Way = (typeof WAYS)[number]

const ENTRY_WORDS = 6
const ENTRIES_MAX = 400_000
const HEAD_WORDS = 3

export interface Entry {
  readonly kind: number
  readonly cell: number
  readonly incarnation: number
  readonly letter: number
  readonly a: number
  readonly b: number
}

/** The record of a run. */
export class Journal {
  readonly memory: SharedArrayBuffer
  readonly #words: Int32Array

  constructor(
    memory: SharedArrayBuffer = new SharedArrayBuffer((HEAD_WORDS + ENTRIES_MAX * ENTRY_WORDS) * 4),
  ) {
    this.memory = memory
    this.#words = new Int32Array(memory)
  }

  write(kind: number, cell: number, incarnation: number, letter = 0, a = 0, b = 0): void {
    const at = HEAD_WORDS + Atomics.add(this.#words, 0, 1) * ENTRY_WORDS
    // Its kind comes last: of who is ended on the way nothing is read.
    this.#words.set([cell, incarnation, letter, a, b], at + 1)
    Atomics.store(this.#words, at, kind)
  }

  /** Numbers of cells and of letters, each once. */
  nextCell(): number {
    return Atomics.add(this.#words, 1, 1) + 1
  }

  nextLetter(): number {
    return Atomics.add(this.#words, 2, 1) + 1
  }

  entries(): readonly Entry[] {
    const found: Entry[] = []
    for (let at = 0; at < Math.min(Atomics.load(this.#words, 0), ENTRIES_MAX); at++) {
      const from = HEAD_WORDS + at * ENTRY_WORDS
      const [kind = 0, cell = 0, incarnation = 0, letter = 0, a = 0, b = 0] = this.#words.subarray(
        from,
        from + ENTRY_WORDS,
      )
      found.push({ kind, cell, incarnation, letter, a, b })
    }
    return found
  }
}

/** What a cell is known by in letters. */
export interface Peer {
  readonly number: number
  readonly ref: CellRef<ActorMessages>
  /** The same with the power over it, where it was spawned by whoever wrote the letter. */
  readonly owned: OwnedRef<ActorMessages>
}

/** What a letter tells its reader to do. */
export type Act =
  | {
      readonly do: 'send'
      readonly way: Way
      readonly to: Peer
      readonly letter: Letter
      /** Whether what it is promised is waited for; of asks how long, and when they are called off. */
      readonly waits: boolean
      readonly timeoutMs?: number
      readonly abortMs?: number
    }
  | { readonly do: 'watch'; readonly to: Peer; readonly of: 'cell' | 'incarnation' }
  | { readonly do: 'link' | 'pause' | 'resume' | 'inspect'; readonly to: Peer }
  | { readonly do: 'spawn'; readonly tier: 'inline' | 'thread'; readonly letters: readonly Letter[] }
  | { readonly do: 'slow' | 'spin' | 'after' | 'every' | 'run'; readonly ms: number }
  | { readonly do: 'keep'; readonly to: CellRef<KeeperMessages> }
  | { readonly do: (typeof PLAIN)[number] }

/** Acts that need nothing. */
export const PLAIN = [
  ...['throw', 'reject', 'break', 'end', 'shut', 'open', 'contend', 'write'],
  ...['publish', 'subscribe', 'dismiss', 'exit', 'uncaught', 'loop', 'later'],
] as readonly (
  | 'throw'
  | 'reject'
  | 'break'
  | 'end'
  | 'shut'
  | 'open'
  | 'contend'
  | 'write'
  | 'publish'
  | 'subscribe'
  | 'dismiss'
  | 'exit'
  | 'uncaught'
  | 'loop'
  | 'later'
)[]

/** A letter: what it is known by in the script, what it tells to do, and ballast, which has to arrive whole. */
export interface Letter {
  readonly label: number
  readonly acts: readonly Act[]
  readonly ballast: string
  readonly weight: number
}

/** A letter on its way. */
interface Sent extends Letter {
  readonly number: number
}

/** What tells of a letter without its content. */
interface Note {
  readonly number: number
  readonly label: number
}

type Loose<Names extends string> = Readonly<Record<Names, Message<Untyped, Untyped>>>
export type ActorMessages = Loose<
  'note' | 'hear' | 'urgent' | 'tick' | 'down' | 'heard' | 'ping' | 'open' | 'ran'
>

/** What an actor is spawned with. */
export interface ActorArgs {
  readonly journal: SharedArrayBuffer
  readonly number: number
}

/** What everybody may publish. */
export const rumours: Topic<number> = topic<number>('rumours')

/** How often a beat goes on. */
const BEATS = 3

interface State {
  /** Of a turn that goes on after its end: what the reference says is the next one by then. */
  readonly incarnation: number
  ticks: number
  every: Untyped
  children: { readonly ref: OwnedRef<ActorMessages>; readonly number: number }[]
  sound: boolean
}

/** Who sends: a cell's turn, or a test. */
export interface Sender {
  readonly number: number
  readonly incarnation: number
  readonly ask: (
    to: CellRef<ActorMessages>,
    name: string,
    payload: unknown,
    options: object,
  ) => Promise<unknown>
}

/** Sends a letter by one of the ways, and writes down what came of it; resolves once its promise, if it has one, is settled. */
export function post(journal: Journal, sender: Sender, act: Extract<Act, { do: 'send' }>): Promise<unknown> {
  const { way, to, letter, timeoutMs = 60_000, abortMs } = act
  const number = journal.nextLetter()
  const { label } = letter
  journal.write(Kind.tries, sender.number, sender.incarnation, number, to.number, WAYS.indexOf(way))
  const tried = (result: number): void =>
    journal.write(Kind.tried, sender.number, sender.incarnation, number, result)
  const settled = (how: number): void =>
    journal.write(Kind.settled, sender.number, sender.incarnation, number, how)
  try {
    if (way === 'note') tried(to.ref.send('note', { number, label } satisfies Note) ? 1 : 0)
    else if (way === 'hear' || way === 'urgent')
      tried(to.ref.send(way, { ...letter, number } satisfies Sent) ? 1 : 0)
    else {
      const controller = new AbortController()
      const { signal } = controller
      if (abortMs !== undefined) setTimeout(() => controller.abort(new Error('called off')), abortMs)
      const promise =
        way === 'ask'
          ? sender.ask(to.ref, 'hear', { ...letter, number }, { timeoutMs, signal })
          : to.ref.deliver('hear', { ...letter, number } satisfies Sent, { signal })
      tried(1)
      return promise.then(
        (answer) => settled(way === 'deliver' || answer === number ? 1 : 2),
        () => settled(0),
      )
    }
  } catch {
    tried(2)
  }
  return Promise.resolve()
}

const actorOf = (
  isolation: 'inline' | 'thread',
  name: string,
  limits: object,
): CellDefinition<ActorMessages, ActorArgs> => {
  type Ctx = Untyped
  const journalOf = (ctx: Ctx): Journal => new Journal(ctx.args.journal)
  const entry = (ctx: Ctx, kind: number, letter = 0, a = 0, b = 0): void =>
    journalOf(ctx).write(kind, ctx.args.number, ctx.state.incarnation, letter, a, b)

  const begin = (ctx: Ctx, { number, label, ballast = '', weight = 0 }: Note & Partial<Letter>): void => {
    entry(ctx, Kind.begins, number, label)
    if (ballast.length !== weight) entry(ctx, Kind.settled, number, 2)
  }
  const act = (ctx: Ctx, each: Act, number: number): unknown => {
    switch (each.do) {
      case 'send': {
        const sender = {
          number: ctx.args.number,
          incarnation: ctx.state.incarnation,
          ask: ctx.ask,
        }
        const over = post(journalOf(ctx), sender, each)
        return each.waits ? over : undefined
      }
      case 'watch': {
        // First: its end may be told of to the next incarnation.
        entry(ctx, Kind.watches, 0, each.to.number, each.of === 'cell' ? 1 : 0)
        return void ctx.monitor(each.to.ref, 'down', { of: each.of })
      }
      case 'link':
        entry(ctx, Kind.binds, 0, each.to.number)
        ctx.link(each.to.owned)
        return entry(ctx, Kind.links, 0, each.to.number)
      case 'pause':
        return each.to.owned.pause()
      case 'resume':
        return each.to.owned.resume()
      case 'inspect':
        return each.to.owned.inspect().catch(() => {})
      case 'spawn': {
        const child = journalOf(ctx).nextCell()
        const definition = each.tier === 'inline' ? inlineActor : threadActor
        const ref = ctx.spawn(definition, { name: `spawned-${child}`, args: { ...ctx.args, number: child } })
        ctx.state.children.push({ ref, number: child })
        const to = { ref, owned: ref, number: child }
        for (const letter of each.letters)
          void act(ctx, { do: 'send', way: 'hear', to, letter, waits: false }, number)
        return undefined
      }
      case 'slow':
        return new Promise((resolve) => setTimeout(resolve, each.ms))
      case 'spin': {
        const until = performance.now() + each.ms
        while (performance.now() < until);
        return undefined
      }
      case 'after':
        return void ctx.sendAfter(each.ms, 'tick', { number: 0, label: 0 })
      case 'every':
        ctx.cancel(ctx.state.every ?? ctx.sendAfter(1_000, 'tick'))
        ctx.state.ticks = 0
        ctx.state.every = ctx.every(each.ms, 'tick')
        return undefined
      case 'run':
        // oxlint-disable-next-line unicorn/no-thenable -- an option of that name
        return void ctx.run(() => new Promise((resolve) => setTimeout(resolve, each.ms)), { then: 'ran' })
      case 'keep': {
        const [source, next] = [`${ctx.args.number}#${ctx.state.incarnation}`, journalOf(ctx).nextLetter()]
        const once = { source, number: next }
        // Twice, of which one is too many.
        const asks = [0, 1].map(() => ctx.ask(each.to, 'keep', once, { timeoutMs: 60_000, once }))
        for (const ask of asks)
          ask.then(
            () => entry(ctx, Kind.kept, next),
            () => {},
          )
        return undefined
      }
      case 'throw':
        entry(ctx, Kind.fails)
        throw new RangeError('told to throw')
      case 'reject':
        entry(ctx, Kind.fails)
        return Promise.reject(new TypeError('told to reject'))
      case 'break':
        entry(ctx, Kind.fails)
        ctx.state.sound = false
        return undefined
      case 'end':
        return ctx.stop()
      case 'shut':
        return ctx.become({ note: putAside })
      case 'open':
        return ctx.become({ note: begin })
      case 'contend': {
        entry(ctx, Kind.contends, number)
        const count = (ctx.tx.get('hot')?.props['count'] as number | undefined) ?? 0
        ctx.tx.put('hot', { labels: ['Hot'], props: { count: count + 1 } })
        return new Promise((resolve) => setTimeout(resolve, 1))
      }
      case 'write':
        return void ctx.tx.put(`label ${number}`, { labels: ['Hot'] })
      case 'publish':
        return entry(ctx, Kind.published, 0, ctx.publish(rumours, ctx.args.number))
      case 'subscribe':
        return void ctx.subscribe(rumours, 'heard')
      case 'dismiss':
        return void ctx.state.children.pop()?.ref.stop()
      case 'exit':
        if (isolation === 'inline') return undefined
        entry(ctx, Kind.dooms)
        return process.exit(7)
      case 'uncaught':
        if (isolation === 'inline') return undefined
        entry(ctx, Kind.dooms)
        setImmediate(() => {
          throw new Error('told to throw where nobody catches it')
        })
        return new Promise(() => {})
      case 'loop':
        if (isolation === 'inline') return undefined
        entry(ctx, Kind.dooms)
        for (;;);
      case 'later':
        if (isolation === 'inline') return undefined
        entry(ctx, Kind.dooms)
        return (async () => {
          await Promise.resolve()
          for (;;);
        })()
    }
  }
  const read = (ctx: Ctx, letter: Sent): unknown => {
    begin(ctx, letter)
    const steps = letter.acts[Symbol.iterator]()
    const go = (): unknown => {
      for (const each of steps) {
        let goesOn: unknown
        try {
          goesOn = act(ctx, each, letter.number)
        } catch (error) {
          // What it is refused is nothing to die of.
          if (!(error instanceof KaryonError)) throw error
        }
        if (goesOn instanceof Promise) return goesOn.then(go)
      }
      return letter.number
    }
    return go()
  }
  const putAside = (ctx: Ctx, { number }: Note): void => {
    entry(ctx, Kind.defers, number)
    ctx.defer()
  }
  return cell({
    name: `${name}-${isolation}`,
    module,
    isolation,
    grants: { read: ['Hot'], write: ['Hot'] },
    limits: { turnCpuMs: 100, ...limits },
    messages: {
      note: message(),
      hear: message(),
      urgent: control(message()),
      tick: message(),
      down: message(),
      heard: message(),
      ping: message(),
      open: message(),
      ran: message(),
    },
    init: (ctx: Ctx): State => {
      const { incarnation } = ctx.self
      journalOf(ctx).write(Kind.init, ctx.args.number, incarnation)
      return { incarnation, ticks: 0, every: undefined, children: [], sound: true }
    },
    on: {
      note: begin,
      hear: read,
      urgent: read,
      tick: (ctx: Ctx) => {
        if (++ctx.state.ticks >= BEATS && ctx.state.every !== undefined) ctx.cancel(ctx.state.every)
      },
      down: (ctx: Ctx, { path, incarnation }: { path: string; incarnation: number }) => {
        entry(ctx, Kind.down, incarnation, Number(/\d+$/.exec(path)?.[0] ?? 0))
      },
      heard: (ctx: Ctx, from: number) => entry(ctx, Kind.heard, 0, from),
      ping: (ctx: Ctx) => ctx.self.incarnation,
      open: (ctx: Ctx) => ctx.become({ note: begin }),
      ran: () => {},
    },
    invariant: ({ sound }: State) => sound,
  } as Untyped) as CellDefinition<ActorMessages, ActorArgs>
}

/** Do what they are told; the first two may find their mailbox full, the last two may be stopped where they stand. */
export const inlineActor: CellDefinition<ActorMessages, ActorArgs> = actorOf('inline', 'actor', {
  mailbox: 12,
})
export const threadActor: CellDefinition<ActorMessages, ActorArgs> = actorOf('thread', 'actor', {
  mailbox: 12,
})
export const inlineRoomy: CellDefinition<ActorMessages, ActorArgs> = actorOf('inline', 'roomy', {
  mailbox: 10_000,
})
export const threadRoomy: CellDefinition<ActorMessages, ActorArgs> = actorOf('thread', 'roomy', {
  mailbox: 10_000,
  stopInPlace: true,
})
export const inlineNewest: CellDefinition<ActorMessages, ActorArgs> = actorOf('inline', 'newest', {
  mailbox: 12,
  overflow: 'drop-oldest',
})
export const threadNewest: CellDefinition<ActorMessages, ActorArgs> = actorOf('thread', 'newest', {
  mailbox: 12,
  overflow: 'drop-oldest',
})

export type KeeperMessages = Loose<'keep' | 'ping'>

const keeperOf = (isolation: 'inline' | 'thread'): CellDefinition<KeeperMessages> =>
  cell({
    name: `keeper-${isolation}`,
    module,
    isolation,
    persist: true,
    grants: { read: ['Kept'], write: ['Kept'] },
    messages: { keep: message(), ping: message() },
    init: () => ({ kept: 0 }),
    on: {
      keep: (ctx, { source, number }) => {
        const key = `${source} ${number}`
        const times = (ctx.tx.get(key)?.props['times'] as number | undefined) ?? 0
        ctx.tx.put(key, { labels: ['Kept'], props: { times: times + 1 } })
        ctx.state.kept++
        if (number % 7 === 0) throw new RangeError('at every seventh')
        return number
      },
      ping: (ctx) => ctx.self.incarnation,
    },
  }) as CellDefinition<KeeperMessages>

/** Durable: applies what is numbered once. */
export const inlineKeeper: CellDefinition<KeeperMessages> = keeperOf('inline')
export const threadKeeper: CellDefinition<KeeperMessages> = keeperOf('thread')
