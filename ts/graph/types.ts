// What the graph hands out and takes.
import type { Instant, Moment, Version } from '../time.ts'
import type { Properties, PropertyChanges, Value } from '../values/types.ts'

/**
 * When something holds in valid time: from an instant on (inclusive), to another one (exclusive); without one it is open there. An
 * instant is a `Date` (an `Instant` with its microseconds) or an ISO string, which without an offset is UTC.
 */
export interface ValidTime {
  readonly from?: Date | string
  readonly to?: Date | string
}

/** A value, and when it holds: from an instant on (inclusive), to another one (exclusive); without one it is open there. */
export interface ValidValue {
  readonly from?: Date
  readonly to?: Date
  readonly value: Value
}

/** What properties hold that do not hold one value always, in order. */
export type Intervals = Readonly<Record<string, readonly ValidValue[]>>

/** A node as of a version. */
export interface Node {
  /** Its identity. */
  readonly key: string
  readonly labels: readonly string[]
  /** What holds always; in a view with an instant of valid time, what holds then. */
  readonly props: Properties
  /** The properties that hold different values at different instants, or none at some; absent where there are none. */
  readonly intervals?: Intervals
  /** The commit that last changed it; 0n when the transaction that reads it did. */
  readonly version: Version
}

/** An edge's identity. Parallel edges differ in their key, `''` by default. */
export interface EdgeIdentity {
  readonly from: string
  readonly type: string
  readonly to: string
  readonly key?: string
}

/** An edge as of a version. */
export interface Edge {
  readonly from: string
  readonly type: string
  readonly to: string
  readonly key: string
  /** What holds always; in a view with an instant of valid time, what holds then. */
  readonly props: Properties
  /** The properties that hold different values at different instants, or none at some; absent where there are none. */
  readonly intervals?: Intervals
  /** When it holds, in order; absent where that is always, and in a view with an instant of valid time. */
  readonly valid?: readonly Omit<ValidValue, 'value'>[]
  /** The commit that last changed it; 0n when the transaction that reads it did. */
  readonly version: Version
}

/** A node's key, or an edge. */
export type Target = string | EdgeIdentity

/**
 * What a property holds: one value; one from `from` (inclusive) to `to` (exclusive), of one kind; or text or bytes that begin with
 * `prefix`. Numbers and bigints are what they are worth: 1 equals 1n.
 */
export type Condition = { readonly property: string } & (
  | { readonly equals: Value }
  | { readonly from: Value; readonly to?: Value }
  | { readonly to: Value; readonly from?: Value }
  | { readonly prefix: string | Uint8Array }
)

/** Which nodes are meant: all, or those with a label, that meet a condition, or several at once. */
export interface NodeQuery {
  readonly label?: string
  readonly where?: Condition | readonly Condition[]
}

/** Which edges a traversal follows, and how far. */
export interface WalkOptions {
  /** Edges of one type only. */
  readonly type?: string
  /** Along edges (`'out'`, the default), against them, or both. */
  readonly direction?: 'out' | 'in' | 'both'
  /** How many edges away the farthest node may be. */
  readonly hops?: number
}

/** A node that a traversal has come to. */
export interface Reached {
  readonly node: Node
  /** How many edges away it is. */
  readonly hops: number
}

/** What can be read of one version. */
export interface Reader {
  /** A node, whole; `undefined` when there is none. Cost: one hash look-up and the decoding of its properties. */
  get(key: string): Node | undefined
  /** Several nodes in one crossing, in the order of the keys. */
  getMany(keys: readonly string[]): (Node | undefined)[]
  /**
   * Handles of nodes, for `number` and `numbers`, in one crossing; 2^32 − 1 for one that does not exist, or that only this transaction
   * has made. A handle stays the node's for as long as the store is, also over its removal, and means nothing in another store.
   */
  handles(keys: readonly string[]): Uint32Array
  /** The keys of handles; `undefined` for one whose node does not exist. */
  keys(handles: Uint32Array): (string | undefined)[]
  /**
   * Handles of the nodes that a node's edges lead to, or come from, of one type or all, one for each edge. In one crossing, without a look at
   * properties; over a million throws `ERR_KARYON_TRANSACTION_SIZE`.
   */
  neighbours(key: string, direction: 'out' | 'in', type?: string): Uint32Array
  /** A property that is a number, of the node of a handle; `undefined` where there is none, or NaN. Cost: a fifth of `get`. */
  number(handle: number, property: string): number | undefined
  /** The same of many nodes, in one crossing and one buffer; NaN where there is none. */
  numbers(handles: Uint32Array, property: string): Float64Array
  /** An edge; `undefined` when there is none. */
  edge(identity: EdgeIdentity): Edge | undefined
  /** The edges that leave a node, of one type or all. Pages are fetched as they are needed, all of one version. */
  out(key: string, type?: string): IterableIterator<Edge>
  /** The edges that enter a node, of one type or all. */
  in(key: string, type?: string): IterableIterator<Edge>
  /**
   * The nodes that are meant. Where a condition's property is indexed for the label (`graph.index`), now or as of the version that is
   * read, they come in the order of its values (long ones that begin alike, and what the reading transaction has written, in any), and cost what meets
   * the condition, and for a range each value that was ever in it; otherwise all nodes with the label are looked at.
   */
  nodes(query?: NodeQuery): IterableIterator<Node>
  /** How many nodes are meant. Cost: constant without a condition where nothing is hidden, else as `nodes`. */
  count(query?: NodeQuery): number
  /** How many edges a node has in one direction, of one type or all. */
  degree(key: string, direction: 'out' | 'in', type?: string): number
  /**
   * The nodes within some edges of one (1 by default), each once, the nearest first, without that one; at most `limit` (1,000 by default,
   * 65,536 at most). In one crossing. Throws `ERR_KARYON_TRANSACTION_SIZE` when it would look at over a million edges.
   */
  within(key: string, options?: WalkOptions & { readonly limit?: number }): readonly Reached[]
  /**
   * The edges of a shortest way from one node to another, at most 16 by default; none from a node to itself; `undefined` when there is no
   * way within that, or within the 65,536 nodes that are nearest.
   */
  path(from: string, to: string, options?: WalkOptions): readonly Edge[] | undefined
}

/** The graph as of one version. It never changes. */
export interface View extends Reader, Disposable {
  readonly version: Version
  readonly time: Instant
  /** The instant of valid time whose values it shows; without one it shows of properties those that hold always. */
  readonly valid: Instant | undefined
  /**
   * The same version, as of an instant of valid time: `props` and conditions are about the values that hold then, edges and traversals
   * about the edges that do, and there are no `intervals`. Nodes and labels have no valid time. Throws `ERR_KARYON_TIME` for a version or a bare number.
   * Cost: that of the read, and a binary search for each property that has intervals.
   *
   * @example
   * graph.at(monday).validAt('2026-01-15').get('ann')?.props.salary   // what was believed on Monday about January
   */
  validAt(instant: Date | string): View
  /** SHA-256, in hex, of everything that the graph says as of this version, at every instant. Cost: a pass over the graph. */
  digest(): string
  /** Ends the view; further reads throw `ERR_KARYON_CLOSED`. */
  close(): void
}

/**
 * When what a verb sets holds. Without either always, in the place of all that the properties held before.
 *
 * A property holds something in at most 4,096 intervals, else `ERR_KARYON_VALUE_SIZE`. Cost: a pass over its intervals; that of any
 * other write where nothing has intervals.
 */
export interface Validity {
  /**
   * The properties of this call, and with `link` the edge, hold in that time. What they held outside of it stays; what overlaps it
   * is cut. A property of `undefined` holds nothing in that time, nor does, with `put`, one that is not given.
   */
  readonly valid?: ValidTime
  /** They hold up to that instant, and nothing from then on. Nothing is ever deleted by a clock. */
  readonly expireAt?: Date | string
}

/** What a node is put with. */
export interface NodeContent extends Validity {
  readonly labels?: readonly string[]
  readonly props?: PropertyChanges
}

/** What is merged into a node or edge; labels are a node's. */
export interface Changes extends NodeContent {
  readonly dropLabels?: readonly string[]
}

/** What is merged into an edge, and which of parallel ones is meant. */
export interface LinkOptions extends Validity {
  readonly key?: string
  readonly props?: PropertyChanges
}

/** Which of parallel edges does not hold any more, and when; always without `valid`. */
export interface UnlinkOptions extends Pick<Validity, 'valid'> {
  readonly key?: string
}

/** What can be appended and spliced in. */
export type Sequence = string | Uint8Array | readonly Value[]

/**
 * Reads and writes that are committed together or not at all. Its reads see its writes; a scan shows it as it was when the scan began.
 *
 * A verb that is refused where it is called leaves nothing behind. What depends on the graph (a missing node, remaining edges, a splice
 * outside of its value) is found when the transaction next reads or is committed; it can then not be committed any more.
 */
export interface Transaction extends Reader {
  /** Creates a node or replaces it whole. */
  put(key: string, node?: NodeContent): void
  /**
   * Merges into a node, which is created if need be, or into an edge, which must exist. A property of `undefined` is unset;
   * a label that is both added and dropped is added. A large value that is set anew takes up, in the log and in the past, about
   * what differs from the one before it, wherever in the value that is.
   */
  patch(target: Target, changes: Changes): void
  /** Removes a node; nothing when there is none. Throws `ERR_KARYON_HAS_EDGES` when it has edges, unless `detach`. */
  remove(key: string, options?: { readonly detach?: boolean }): void
  /**
   * Creates an edge or merges into it. Both ends must exist. With `valid` the edge itself holds in that time, beside the times in which
   * it does already; without, always.
   */
  link(from: string, type: string, to: string, options?: LinkOptions): void
  /** Removes an edge; nothing when there is none. With `valid` it does not hold in that time; one that never does any more is removed. */
  unlink(from: string, type: string, to: string, options?: UnlinkOptions): void
  /**
   * Adds to a number; an absent one counts as 0. Increments of different transactions do not conflict. As `append` and `splice` it is
   * `ERR_KARYON_VALUE_TYPE` for a property that holds different values at different times: none of them is meant more than another.
   */
  increment(target: Target, property: string, by?: number | bigint): void
  /** Appends to a string, bytes or list without writing it again; an absent one is set. */
  append(target: Target, property: string, more: Sequence): void
  /**
   * Replaces `deleteCount` units from `start` on: UTF-16 units of a string, bytes, items of a list. A count beyond the end
   * stops there.
   */
  splice(target: Target, property: string, start: number, deleteCount: number, insert: Sequence): void
}

/**
 * How far a transaction is kept apart from others that run at the same time. Both read one version, with their own writes, and
 * refuse a property, label or existence that another one wrote first.
 *
 * - `'serializable'`: the outcome is that of running the transactions one after the other. What was read is validated at the commit:
 *   nodes, edges, lists, counts, and what was not there.
 * - `'snapshot'`: what was read is not validated, so that a long reader need not abort; write skew is possible. Two that each read
 *   what the other writes may both commit, and so may two that add to a list that both have read. A write of what is already there
 *   is none, and guards nothing. An increment of what was read counts as a write, and so does the removal of an edge with its node.
 *
 * In both, an end of an edge that is gone by the commit is `ERR_KARYON_NODE_MISSING`, and edges that a node has got by then are
 * `ERR_KARYON_HAS_EDGES` where it is removed without `detach`, unless what was read is in conflict before: no edge ever dangles.
 */
export type Isolation = 'serializable' | 'snapshot'

/** How a transaction runs. */
export interface TransactionOptions {
  /** The commit that made the writer act. */
  readonly cause?: Version
  /** `'serializable'` by default; anything that is neither throws `ERR_KARYON_ARGUMENT`. */
  readonly isolation?: Isolation
}

/** What a commit was given. Of a transaction whose verbs change nothing: the newest commit's, as it is none of its own. */
export interface Commit {
  /** Its dense number. */
  readonly version: Version
  /** Its time: greater than every earlier commit's. */
  readonly time: Instant
}

/** A commit, and what the function given to `write` returned. */
export interface Written<T> extends Commit {
  readonly value: T
}

/** A transaction that lives across awaits. It is never retried by itself. */
export interface OpenTransaction extends Transaction, Disposable {
  /** Resolves once the commit is durable. Throws `ERR_KARYON_CONFLICT` when another one came first. */
  commit(): Promise<Commit>
  /** Drops it; nothing when it has ended. */
  rollback(): void
}

/** Who made something what it is. */
export interface Blame extends Commit {
  /** Supervision path and name; `root` for the program itself. */
  readonly principal: string
  /** Which incarnation of the principal; 0 for the program. */
  readonly incarnation: number
  /** The commit that made it act, if it said so. */
  readonly cause?: Version
}

/** One change of one node or edge. */
export interface Change extends Blame {
  readonly kind: 'created' | 'removed' | 'labelled' | 'unlabelled' | 'set' | 'unset'
  readonly label?: string
  readonly property?: string
  /** A property's value before; absent when it had none, or not one always. */
  readonly before?: Value
  /** A property's value from then on; absent when it has none, or not one always. */
  readonly after?: Value
  /** What the property held when, before; only where that was not one value always. */
  readonly intervalsBefore?: readonly ValidValue[]
  /** What the property holds when, from then on; only where that is not one value always. */
  readonly intervalsAfter?: readonly ValidValue[]
}

/** A commit, who made it, and what it had read. */
export interface Provenance extends Blame {
  /** The commits that wrote what it had read, the newest first, at most 64. */
  readonly parents: readonly Version[]
  /** Whether older ones were left out. */
  readonly coarse: boolean
}

/** A change as a feed gives it. */
export interface FeedChange extends Change {
  readonly target: Target
  /** Where it stands in its commit; with the version, where a feed goes on. */
  readonly place: number
}

/** Where a feed begins, and when it ends. */
export interface FeedOptions {
  /** After this moment; now by default. */
  readonly from?: Moment
  /** After this change: where another feed has ended. */
  readonly after?: Pick<FeedChange, 'version' | 'place'>
  /** Ends it. */
  readonly signal?: AbortSignal
}

/** What differs between two versions. */
export type Difference = Differing<'node', string, Node> | Differing<'edge', EdgeIdentity, Edge>

interface Differing<Entity, Identity, Side> {
  readonly entity: Entity
  readonly target: Identity
  readonly kind: 'created' | 'removed' | 'changed'
  readonly before?: Side
  readonly after?: Side
}

/** What holds for a property of the nodes with a label. */
export interface IndexRules {
  readonly label: string
  readonly property: string
  /** Its values are indexed. */
  readonly indexed: boolean
  /** No two nodes with the label have the same value. */
  readonly unique: boolean
  /** Every node with the label has the property. */
  readonly required: boolean
}

/** A fork, as `forks()` lists it. */
export interface ForkInfo {
  readonly name: string
  /** The version that it stands on. */
  readonly from: Version
  /** The commit that made it. */
  readonly created: Version
}

/**
 * A graph of its own above a version of another one: what is written in it is seen in it alone, until it is merged. It has a past, as-of
 * views, transactions, a feed and forks of its own; indexes and rules are those of the version that it stands on. It ends with the
 * kernel or cell that opened it.
 */
export interface Fork extends Graph, ForkInfo, Disposable {
  /** What differs between two moments; without them, all that the fork has changed. */
  diff(from?: Moment, to?: Moment): IterableIterator<Difference>
  /**
   * Takes what the fork has changed over into what it stands on, or into another fork of that, in one commit: slot by slot, where only
   * the fork has changed it since both had the same in them last, by whatever merges. What both have changed is a conflict: without `prefer` nothing is merged then; with it that side counts. An
   * edge that was added at one side while its end was removed at the other is one too. The fork stays, and can be merged again. The commit is
   * the merger's: `why` leads on from it into the fork, `revert` of who wrote there does not. For those who may read and write everything.
   * Forks of grafts, called `engram:ROOT:NAME`, are neither merged nor merged into (`ERR_KARYON_ARGUMENT`): they are promoted.
   */
  merge(options?: MergeOptions): Promise<MergeReport>
  /** Gives it up, with what was written in it, and closes it. For those who may write everything. */
  drop(): Promise<Commit>
  /** Lets go of it; the fork stays, and can be opened again. */
  close(): void
}

/** Where a fork is merged, and who decides. */
export interface MergeOptions {
  /** The name of another fork of what it stands on: one made just now is a fork that has caught up. */
  readonly into?: string
  /** Whose change counts where both have changed something: that of what it is merged into, or that of the fork. */
  readonly prefer?: 'base' | 'fork'
}

/** What a merge did. */
export interface MergeReport {
  /** The commit; absent when there was nothing to take over, or when there are conflicts and nobody is preferred. */
  readonly version?: Version
  /** How many existences, labels and properties it changes. */
  readonly applied: number
  /** What both have changed. */
  readonly conflicts: readonly { readonly target: Target; readonly slot: string; readonly reason: string }[]
}

/** What a revert did, or would do. */
export interface RevertReport {
  /** The compensating commit; absent for a dry run or when nothing was left to take back. It may restore nothing, and counts. */
  readonly version?: Version
  /** How many existences, labels and properties were restored. */
  readonly restored: number
  /** What stays, and why. */
  readonly kept: readonly { readonly target: Target; readonly slot: string; readonly reason: string }[]
  /** Later commits of others that had read what was taken back. */
  readonly descendants: readonly Version[]
}

/** What was verified. */
export interface VerifyReport {
  readonly version: Version
  /** Frames whose checksum and place in the hash chain were checked; 0 for a memory kernel. */
  readonly frames: number
  readonly nodes: number
  readonly edges: number
  /** Sealed chapters of the history compared byte for byte with those that the log gives. */
  readonly chapters: number
  readonly digest: string
}

/** What a copy of a store holds. */
export interface Copied {
  /** Its newest version, and that one's time; 0n and 1970 for an empty store. */
  readonly version: Version
  readonly time: Instant
  /** Bytes of its log's frames. */
  readonly bytes: number
}

/** What was saved of a store, and what was not. */
export interface Salvaged extends Copied {
  /** What is wrong with the store; absent when nothing is. */
  readonly damage?: string
  /**
   * What is not in the copy, by segment of the log: everything from `offset` on. Empty when the damage cost nothing. Frames that
   * are whole in there, but connected with nothing before them, hold `versions` from the first to the last, of these `times`.
   */
  readonly lost: readonly {
    readonly segment: number
    readonly offset: number
    /** 0 for a file that is missing. */
    readonly bytes: number
    readonly versions?: readonly [Version, Version]
    readonly times?: readonly [Date, Date]
    readonly reason: string
  }[]
  /**
   * The version of a whole checkpoint that lies beyond the damage: if the damaged store still opens with it, its present is whole
   * there, and what this copy lacks of it can be read from there and written again.
   */
  readonly checkpoint?: Version
}

/** Counts and sizes. */
export interface GraphStats {
  /** The newest published version. */
  readonly head: Version
  /** The newest version that is on disk; of a kernel that keeps nothing, the newest one. */
  readonly durable: Version
  readonly nodes: number
  readonly edges: number
  /** About how many bytes of memory the present takes, forks included. */
  readonly memoryBytes: number
  /** Commits that wait for the disk. */
  readonly waiting: number
  /** Frames written by this process, each one sync. */
  readonly frames: number
  /** Bytes of log that opening would have to replay. */
  readonly tailBytes: number
  /** Everything from this version on is kept; 0 when everything is. */
  readonly since: Version
  /** The version up to which an archive stands for the log; 0 when there is none. */
  readonly archived: Version
}

/** What of the past is kept when the rest is let go. A version is kept when one of these keeps it, or a snapshot or a fork does. */
export interface Retention {
  /** Everything from this moment on is kept; by default everything is. */
  readonly since?: Moment
  /** Of each node and edge so many of its newest versions, however old: `at(…).get(…)` answers for them. */
  readonly versions?: number
  /** Of what is older the last version of each hour, day or week in UTC, or of each span of so many milliseconds since 1970. */
  readonly every?: 'hour' | 'day' | 'week' | number
}

/** What was archived. */
export interface Archived extends Commit {
  /** Everything from this version on is kept. */
  readonly since: Version
  /** How many versions before it are kept as a whole. */
  readonly kept: number
  /** Bytes of the log's files, archive included, before. */
  readonly bytesBefore: number
  /** The same afterwards. */
  readonly bytesAfter: number
}

/**
 * Numbers of nodes, found by their keys in constant time, however many there are: a hash of the key, and a cache line or two. It follows the commits, and
 * answers as of the newest durable version, like the graph itself. Readers wait for nobody.
 */
export interface Lookup extends Disposable {
  readonly property: string
  /** What the property holds; `undefined` where there is no such node, or no number (NaN is none). Cost: a crossing, the hash, and a cache line or two. */
  get(key: string): number | undefined
  /**
   * Tags of keys, for `getMany`: of each 128 bits, as two numbers. They mean something in this process alone. Two keys with one tag are not
   * met in practice. Cost: one crossing, and some 100 ns a key.
   */
  tags(keys: readonly string[]): BigUint64Array
  /**
   * The same of many, by their tags or by their handles, in one crossing; NaN where there is none. Cost: 20 ns each among a million
   * that were asked for of late, some 60 else.
   */
  getMany(wanted: BigUint64Array | Uint32Array): Float64Array
  /** Lets go of it. Who else has it keeps it. */
  close(): void
}

/** The graph: its reads answer as of the newest durable version. */
export interface Graph extends Reader {
  /**
   * Runs `fn` in a transaction and commits it. Resolves once the commit is durable. `fn` is synchronous and pure: after a conflict
   * it runs again, at most 16 times, then rejects with `ERR_KARYON_CONFLICT`. What it throws rejects the promise and nothing is written. Inside of it every use of the graph
   * or of a view throws `ERR_KARYON_WRITE_OUTSIDE`, at once also where it would return a promise.
   *
   * Cost: one crossing, one look at each thing read and written, and a share of a sync.
   *
   * @example
   * const { version } = await graph.write((tx) => tx.put('sky', { labels: ['Fact'], props: { text: 'blue' } }))
   */
  write<T>(fn: (tx: Transaction) => T, options?: TransactionOptions): Promise<Written<T>>
  /**
   * Begins a transaction that may live across awaits, for `timeoutMs` milliseconds at most (30,000 by default, up to 2^31 − 1). A
   * store may have 1,024 of them and of snapshots open; one more throws `ERR_KARYON_SNAPSHOT_COUNT`.
   */
  begin(options?: TransactionOptions & { readonly timeoutMs?: number }): OpenTransaction
  /**
   * The graph as of a moment. Throws `ERR_KARYON_UNSETTLED` for one whose commits are not all durable yet. What of that moment is not
   * kept any more (see `compact`) throws `ERR_KARYON_HORIZON` when it is read.
   */
  at(moment: Moment): View
  /**
   * The graph as of now. What it shows is kept until it is closed, whatever of the past is let go meanwhile. A store may have 1,024 of them and
   * of transactions open; one more throws `ERR_KARYON_SNAPSHOT_COUNT`.
   */
  snapshot(): View
  /** The graph as of now, with the values that hold at an instant of valid time; see `View.validAt`. */
  validAt(instant: Date | string): View
  /** Resolves when `at(moment)` has its final answer. */
  settled(moment: Moment): Promise<void>
  /** Resolves when every moment of the past can be asked for. */
  ready(what: 'history'): Promise<void>
  /**
   * The changes of a node or edge after `from` (exclusive) until `to`, newest first. Where the older ones are not kept any more, it
   * throws `ERR_KARYON_HORIZON` behind those that are.
   */
  history(
    target: Target,
    options?: { readonly property?: string; readonly from?: Moment; readonly to?: Moment },
  ): IterableIterator<Change>
  /**
   * What differs between two moments, each node and edge once, in the order of its last change between them. When `from` is the
   * later one, it is what going back would change: `before` and `after` change places, `created` and `removed` too. Cost: the
   * changes between them, not the graph.
   */
  diff(from: Moment, to: Moment): IterableIterator<Difference>
  /**
   * Who made a property what it is, or without one the existence of the node or edge: also who unset or removed it, when
   * there is nothing now.
   */
  blame(target: Target, property?: string): Blame | undefined
  /**
   * The commit that made a property what it is, or without one the existence; then the commits that wrote what it had read; and so on,
   * the newest first. Where `coarse` is set, a commit had read more than is kept. For those who may see everything.
   */
  why(target: Target, property?: string): IterableIterator<Provenance>
  /**
   * Every durable change after `from` (now by default), exactly in the order of the log, and then those to come, until the kernel closes,
   * the signal aborts or the loop ends. What is not asked for stays in the log, so a slow reader holds a page of 256 changes at most. To go
   * on later, pass the last change as `after`. Changes that may not be seen are left out. A reader that has fallen behind what is kept
   * rejects with `ERR_KARYON_HORIZON`.
   *
   * @example
   * for await (const change of graph.changes({ from: 0n })) console.log(change.version, change.target, change.kind)
   */
  changes(options?: FeedOptions): AsyncIterableIterator<FeedChange, undefined> & AsyncDisposable
  /**
   * Takes back what a principal wrote after `since`, in one compensating commit, and nobody else's work: what others have changed
   * since stays and is reported. Principals who wrote over each other can be taken back in any order.
   */
  revert(options: {
    readonly principal: string
    readonly since: Moment
    readonly dryRun?: boolean
  }): Promise<RevertReport>
  /**
   * Declares an index of a property for the nodes with a label, in place of what was declared before, and the rules that it has to keep
   * from then on: `unique`, `required`. Indexes answer as of any version from their declaration on. Rejects with `ERR_KARYON_UNIQUE` or
   * `ERR_KARYON_REQUIRED` when the nodes there are break the rules. For those who may write everything. Cost: a pass over the nodes with
   * the label, during which commits wait. 1,024 properties may have one.
   *
   * @example
   * await graph.index({ label: 'Person', property: 'mail', unique: true })
   */
  index(rules: {
    readonly label: string
    readonly property: string
    readonly unique?: boolean
    readonly required?: boolean
  }): Promise<Commit>
  /** Takes back what was declared for a property. The past keeps its index. */
  dropIndex(index: { readonly label: string; readonly property: string }): Promise<Commit>
  /**
   * A lookup of what a property holds where that is a number, in memory, about 60 bytes a node. It is made at the first call, by a pass over all nodes,
   * during which commits wait; later ones share it. For those who may read everything, and not in forks. Of 64 properties a store has one; for another
   * it rejects with `ERR_KARYON_TRANSACTION_SIZE`. `memoryBytes` does not count them.
   *
   * Keys are found by tags of 128 bits. Unless `strict` is false, `get` compares the key itself as well, which costs a cache line or two more, and
   * waits while a commit is published.
   *
   * @example
   * using weights = await graph.lookup('weight')
   * weights.get('ann')                                  // 0.75
   * const tags = weights.tags(['ann', 'bob'])           // once
   * weights.getMany(tags)                               // Float64Array [0.75, NaN]
   */
  lookup(property: string, options?: { readonly strict?: boolean }): Promise<Lookup>
  /**
   * Makes a fork above a version (now by default), named like no other living one. For those who may write everything; others may open it.
   * Cost: one small commit, however large the graph. Rejects
   * with `ERR_KARYON_LAYER` when the name is taken, for the ninth above each other, and for the 65,537th.
   *
   * @example
   * const idea = await graph.fork('idea')
   * await idea.write((tx) => tx.patch('plan', { props: { budget: 0 } }))
   * await idea.merge()
   */
  fork(name: string, options?: { readonly from?: Moment }): Promise<Fork>
  /** A fork that was made before. Throws `ERR_KARYON_LAYER` when there is none of that name, or none above this graph. */
  openFork(name: string): Fork
  /** The living forks above this graph. For those who may read everything. */
  forks(): readonly ForkInfo[]
  /** What holds as of a moment (now by default). For those who may read everything. */
  indexes(moment?: Moment): readonly IndexRules[]
  /** SHA-256, in hex, of everything that the graph says as of a moment (now by default). */
  digest(moment?: Moment): string
  /** Reads everything on disk again and compares it with memory. Throws `ERR_KARYON_DAMAGED` when something differs. */
  verify(): Promise<VerifyReport>
  /**
   * Copies everything that is durable now to a directory, which must be empty or not exist, while writers go on. The copy is a
   * store with the whole past: `Kernel.open` opens it. It is one only once this has resolved, whatever happens before.
   *
   * Throws `ERR_KARYON_NOT_EMPTY`, `ERR_KARYON_NOT_A_DIRECTORY`, `ERR_KARYON_OWNED` while another copy is written there,
   * `ERR_KARYON_IO` when the copy cannot be written, `ERR_KARYON_DAMAGED` when the log is, `ERR_KARYON_ARGUMENT` for a memory
   * kernel. Cost: a pass over the whole log, on another thread.
   *
   * @example
   * const { version } = await graph.backup('./backup-2026-11-25')
   */
  backup(path: string): Promise<Copied>
  /**
   * Lets go of the past before a moment, but what the retention keeps: an archive of what is kept takes the place of the log's
   * segments. What is kept answers as before; anything else throws `ERR_KARYON_HORIZON`, and nothing is guessed: single things of a
   * version that is not kept are told where they are known. Kept too is what open snapshots show and forks stand on. The log is let go by
   * the segment, so more may be kept than was asked for. It goes on while writers do, and resolves with what was done; where nothing was
   * to be done, with the newest commit. For those who may write everything.
   *
   * Throws `ERR_KARYON_HISTORY_BUILDING` while the past is being rebuilt, `ERR_KARYON_IO` when the archive cannot be written, which
   * changes nothing, `ERR_KARYON_ARGUMENT` when more than 65,536 single versions would be kept. Cost: reads the log up to the moment into a
   * second graph in memory and writes what is kept, on another thread.
   *
   * @example
   * await graph.compact({ since: new Date(Date.now() - 30 * 86_400_000), versions: 3, every: 'day' })
   */
  compact(retention: Retention): Promise<Archived>
  /**
   * Erases a node with its edges, in the graph and its forks, now and in the past: key, labels, properties and edges are in none of the
   * store's files any more once this has resolved. That a node was erased, when and by whom stays in the log, and so do
   * the names of labels, types and properties; hashes noted before still prove the chain. Backups made before hold it still; erase there, or delete them. The whole log so far becomes an archive: a store can
   * be restored as of later moments only. For those who may write everything.
   *
   * Throws `ERR_KARYON_NODE_MISSING` for a key that never was. When it fails otherwise, the node may be gone while bytes of it are left in files:
   * call it again, or open the store again. Cost: as `compact` of everything.
   *
   * @example
   * await graph.erase('somebody@example.org')
   */
  erase(key: string): Promise<Archived>
  /** Counts and sizes. */
  stats(): GraphStats
}
