// Engrams: what is packed, what is told of it, and what becomes of it elsewhere.
import type { KeyObject } from 'node:crypto'
import type {
  Change,
  Commit,
  Edge,
  EdgeIdentity,
  Fork,
  Node,
  Reader,
  RevertReport,
  Target,
  ValidValue,
} from '../graph/types.ts'
import type { RecallOptions } from '../recall/options.ts'
import type { Moment, Version } from '../time.ts'
import type { Value } from '../values/types.ts'

/**
 * Whose value counts where host and package hold different ones of a property: the host's; the package's; the one whose provenance is newer;
 * both, as a list without doubles, the host's first; or nothing is grafted at all. How new a package's is, it says itself: `'newest-valid'` is for those
 * whose signer is trusted. When an edge holds is as old there as the edge.
 */
export type ConflictPolicy = 'keep-host' | 'take-package' | 'newest-valid' | 'keep-both' | 'reject'

/** By property; `'*'` for all others. */
export type ConflictPolicies = Readonly<Record<string, ConflictPolicy>>

/**
 * Which part of a graph is packed: what meets all that is said. Without anything, all of it. What `writers` and `trust` leave out is not there for
 * the rest of the selection: no label of it is met, and nothing is near because of it.
 */
export interface Selection {
  /** Nodes with one of these labels. */
  readonly labels?: readonly string[]
  /** Edges of these types, between nodes that are packed; all of them by default. */
  readonly types?: readonly string[]
  /** Nodes within so many edges of these, along edges of `types`, in either direction. */
  readonly around?: { readonly keys: readonly string[]; readonly hops: number }
  /** As of a moment; now by default. */
  readonly at?: Moment
  /**
   * Only what these principals have written, or somebody below them: `root/crew` stands for `root/crew/ledger` too, and not for `root/crew2`.
   * Whose an existence, a label or a property is, `blame` would say, as of the moment that is packed. What others made is left out, a node with its
   * edges; so is an edge of which others said when it holds; of what is left, labels and properties of others are left out one by one.
   *
   * What nobody knows who wrote is left out. In an engram whose history was cut, and in a graph where that was before what is kept of the past, those are
   * labels, and edges that do not hold always; at a moment of the past also what was written over since.
   *
   * At most 1,024 paths of 64 KiB. Cost: a blame of each fact in each of three passes, and a look through the past of what was changed since it
   * was made.
   */
  readonly writers?: readonly string[]
  /**
   * Nodes and edges whose number under a property is at least so much, from 0 to 1. As for a recall, it is 1 where there is no such property, or it
   * holds no number, or not one value always; and of a property that `writers` leave out.
   */
  readonly trust?: { readonly property: string; readonly atLeast: number }
  /**
   * Whether what is packed has its past, up to the moment that is packed: `'cut'` by default. With `'kept'` each node and edge has with it what
   * `graph.history` tells of it; with `writers`, what they wrote of it, also where others have written something else since. Each change has its
   * value with it, whole. An engram has a past where it was kept; else `ERR_KARYON_HORIZON` is thrown.
   */
  readonly history?: 'cut' | 'kept'
}

/** What a package says of itself, beside what is counted. */
export interface Description {
  /** Letters, digits, `.`, `_`, `-` and `/`; at most 128 of them. */
  readonly name: string
  /** A semantic version, `1.4.0`. */
  readonly version: string
  readonly description?: string
  /** An SPDX expression. */
  readonly licence?: string
  /** The roots, in hex, of the packages that it comes of. */
  readonly parents?: readonly string[]
  /** What whoever made it would have done about conflicts; whoever grafts it decides. */
  readonly policies?: ConflictPolicies
}

/** How a package is written. */
export interface ExportOptions extends Description {
  readonly select?: Selection
  /** Whether each fact says who wrote it and when; true by default, and wherever history is kept. */
  readonly provenance?: boolean
  /**
   * Recalls whose tables the package carries: `openRecall` of it with the same options then reads them where they lie, and does not make them again. At most
   * 8, each of nodes that are packed; none by default, also where what is packed is an engram that has some. They are what the package says
   * anyway, at 1.4 KB a text of a dozen words.
   */
  readonly recall?: readonly RecallOptions[]
  /** Private Ed25519 keys that sign the root; at most 64. */
  readonly signWith?: readonly KeyObject[]
  /** What it may have at most; by default what whoever opens it allows by default. */
  readonly limits?: PackageLimits
}

/** A recall whose tables a package carries, and of how many texts they are. */
export interface PackedRecall extends RecallOptions {
  readonly texts: number
}

/** What a package says of itself. */
export interface Manifest extends Description {
  readonly format: number
  /** The function of the lookup by key. */
  readonly hash: 'xxh3-128'
  /** Absent where it is cut. */
  readonly history?: 'kept'
  /** What recall tables it carries; absent where there are none. */
  readonly recall?: {
    /** The version of how texts were cut into words. Tables of another one than this Karyon's are not used. */
    readonly normaliser: number
    /** The version of the n-grams and their hashes. */
    readonly grams: number
    /** By label, then by the property of the text, then by the others. */
    readonly tables: readonly PackedRecall[]
  }
  readonly parents: readonly string[]
  readonly counts: {
    readonly nodes: number
    readonly edges: number
    /** Existences, labels and properties. */
    readonly facts: number
    readonly sources: number
    /** What is told of the past; absent where it is cut. */
    readonly changes?: number
  }
  /** How often each label, type and property is there. */
  readonly schema: {
    readonly labels: Readonly<Record<string, number>>
    readonly types: Readonly<Record<string, number>>
    readonly properties: Readonly<Record<string, number>>
    /** How often each label and property has changed; absent where history is cut. */
    readonly changes?: Readonly<Record<string, number>>
  }
}

/** Who a package is signed by: an Ed25519 key, in hex, and whether its signature is that of the root. */
export interface Signature {
  readonly key: string
  readonly valid: boolean
  /** The name under which the keyring knows the key; absent where it does not. */
  readonly signer?: string
}

/** Public keys that are trusted, by the name of who they belong to. Names come from here alone, never from a package. */
export type Keyring = Readonly<Record<string, KeyObject>>

/** What a package may have at most. Beyond it is refused before anything is read. */
export interface PackageLimits {
  /** 64 GiB by default. */
  readonly bytes?: number
  /** 1,000,000,000 by default. */
  readonly nodes?: number
  /** 4,000,000,000 by default. */
  readonly edges?: number
  /** Of the past; 4,000,000,000 by default. */
  readonly changes?: number
  /** Of the manifest; 1 MiB by default. */
  readonly manifestBytes?: number
}

/** How a package is opened. */
export interface EngramOptions {
  /**
   * What is checked before it is used: `'root'`, the default, the head, and every block when it is first read; `'full'` every block at once.
   */
  readonly verify?: 'root' | 'full'
  /** One of these must have signed it; without, anybody or nobody. */
  readonly keys?: Keyring
  readonly limits?: PackageLimits
  /** Bytes of verified blocks that are kept; 64 MiB by default, 1 MiB at least. */
  readonly cacheBytes?: number
}

/** What is known of a package without reading what it knows. */
export interface Inspected {
  readonly manifest: Manifest
  /** SHA-256, in hex, of everything but the signatures. */
  readonly root: string
  readonly bytes: number
  readonly signatures: readonly Signature[]
}

/** Where a fact of a package comes from. */
export interface Source {
  readonly principal: string
  readonly time: Date
}

/** A change as a package tells it: by whom and when, without the incarnation and the cause, which mean nothing elsewhere. Its version is 0n. */
export type PackedChange = Omit<Change, 'incarnation' | 'cause'>

/** Which changes are told; all by default. */
export interface PastOptions {
  /** Those of one property. */
  readonly property?: string
  /** Those after a time. */
  readonly from?: Date
  /** Those up to a time. */
  readonly to?: Date
}

/**
 * A package that is read where it lies. Everything that a reader answers, it answers, with the same errors; `match` takes it for a graph.
 * It has orders of its own: nodes come by their keys, edges by type, then by the key of the other end, then by their own; labels by name;
 * all by their UTF-8. It has no versions: `version` is 0n everywhere. A handle is one of this package alone.
 *
 * Whatever is read may throw `ERR_KARYON_PACKAGE_ROOT` where the file is not what was packed, and `ERR_KARYON_PACKAGE` where what was
 * packed contradicts itself: who has signed a package may have made it by hand. What it says twice, as of a node where it stands and where
 * it is found, is compared only as far as both are read.
 *
 * Cost: of `get` one hash, a look at some rows of 32 bytes next to each other, and one record; of what is not there the rows alone; of an
 * edge one more record, and at most 64 edges passed over; of `in` that of each edge; of a condition a look at each node with the label.
 * Blocks of 64 KiB that were read are kept, `cacheBytes` of them.
 */
export interface Engram extends Reader, Inspected, Disposable {
  /** All edges, by the key of the node they leave, then type, then the node they enter, then key. */
  edges(): IterableIterator<Edge>
  /**
   * Who wrote a property, or without one made the node or edge, and when; `undefined` where the package does not say. Who gave a node its labels, or said
   * when an edge holds, only `history` tells, of a package with its past.
   */
  source(target: Target, property?: string): Source | undefined
  /**
   * The changes of a node or edge up to the moment that was packed, newest first; of one commit the existence first, then labels, when an edge
   * holds, and properties, by their names. What was before a change is what the package tells of that: where it tells of some writers only, what they
   * wrote before. Of what is not there, none.
   *
   * Throws `ERR_KARYON_HORIZON` where history was cut, and behind the changes that were kept when it was packed, where older ones were not;
   * `ERR_KARYON_TIME` for a version, which means nothing here, or what else is no `Date`. Cost: a binary search, a pass over what is told of the node or
   * edge, with some 40 bytes of memory for each change; then the values of each change that is read.
   *
   * @example
   * for (const { time, principal, property, after } of engram.history('sky', { property: 'text' })) console.log(time, principal, after)
   */
  history(target: Target, options?: PastOptions): IterableIterator<PackedChange>
  close(): void
}

/** What a graft would do, by facts: existences, labels and properties. A property counts as one, whatever it holds when. */
export interface PlanCounts {
  /** The host does not have them. */
  readonly added: number
  /** The host has them already. */
  readonly same: number
  /** The host holds another value; or an edge, which holds at other times there. */
  readonly conflicting: number
}

/** One conflict. Where a property does not hold one value always, `intervals` say what it holds when, in the place of the value. */
export interface PlannedConflict {
  readonly target: Target
  /** Absent where an edge holds at other times than the host's. */
  readonly property?: string
  readonly host?: Value
  readonly package?: Value
  /** What the graft would hold. */
  readonly outcome?: Value
  readonly intervals?: {
    readonly host?: readonly Timed[]
    readonly package?: readonly Timed[]
    readonly outcome?: readonly Timed[]
  }
  readonly policy: ConflictPolicy
}

/** What holds when: a value, or an edge itself. */
export type Timed = ValidValue | Omit<ValidValue, 'value'>

/** What may be told of conflicts and clashes, of each so many. */
export interface PlanOptions {
  /**
   * What whoever grafts does about conflicts: it goes before what the package would have done, `'*'` too. `'keep-host'` where neither says
   * anything. What does not hold one value always is never kept from both: with `'keep-both'` the host's stays. So it does where no property could hold
   * both, as they would be nested deeper than 32, or be over 16 MiB.
   */
  readonly policies?: ConflictPolicies
  /** How many conflicts and clashes are told in full; 100 by default, 10,000 at most, of conflicts 16 MiB. */
  readonly samples?: number
}

/** A dry run: nothing is changed by it. */
export interface Plan {
  readonly engram: Engram
  /** The version of the host that it was compared with. */
  readonly host: Version
  /** Nodes and edges together. */
  readonly counts: PlanCounts
  /** Facts of nodes. */
  readonly nodes: PlanCounts
  /** Facts of edges. */
  readonly edges: PlanCounts
  /** About how many bytes of memory the graft would take. */
  readonly bytes: number
  /** Some of the conflicts. */
  readonly conflicts: readonly PlannedConflict[]
  /** Nodes that have the same key and labels, but none in common: most likely they are two things. What they say is counted all the same. */
  readonly clashes: { readonly count: number; readonly keys: readonly string[] }
  /** Has it happen, as the host is then, with the policies of the plan. */
  graft(options?: GraftOptions): Promise<Graft>
}

/** How a package is grafted. */
export interface GraftOptions {
  /** Text of 1 to 900 bytes, that no other graft has; by default `NAME@VERSION`. */
  readonly name?: string
  /** Whether what is grafted stays out of the graph until it is promoted; true by default. */
  readonly quarantine?: boolean
  /**
   * Whether nodes that clash are grafted all the same (`'merge'`), or left out with their edges (`'skip'`); by default the graft is refused.
   * What of it is promoted is treated alike, where the host has got such a node since.
   */
  readonly clashes?: 'refuse' | 'skip' | 'merge'
  /** Whether an older version of a package is taken than one that is grafted; false by default, as it may be an old one that is played again. */
  readonly older?: boolean
}

/**
 * Which facts are promoted: nodes and edges that these say true of, each as the graft has it; all by default. An answer that is neither true nor
 * false, as a promise, is `ERR_KARYON_ARGUMENT`, and nothing is promoted.
 */
export interface PromoteOptions {
  readonly nodes?: (node: Node) => boolean
  readonly edges?: (edge: Edge) => boolean
}

/** A fact of a graft's fork that another than the graft has written. */
export interface Foreign {
  readonly target: Target
  /** `existence`, `label:NAME`, `property:NAME`; `valid` for when an edge holds. */
  readonly slot: string
  readonly principal: string
}

/** What a promotion did; no version and time where there was nothing to do. */
export interface Promoted extends Partial<Commit> {
  /** Nodes that were made or changed. */
  readonly nodes: number
  /** Edges that were made or changed. */
  readonly edges: number
  /** What the graph has changed since the graft to something else, or has removed, however the policy has decided. */
  readonly conflicting: number
  /** Edges that were left out, as an end of theirs is not there, or clashes: how many, and 1,000 of them. */
  readonly dangling: { readonly count: number; readonly edges: readonly EdgeIdentity[] }
  /** What others have written into the graft's fork, and is left out: how many facts, and 1,000 of them. Of a node or edge that others have made its existence counts, and the rest. */
  readonly foreign: { readonly count: number; readonly facts: readonly Foreign[] }
}

/** What a detachment did: what was promoted is reverted; what others have changed since, or a rule of the graph needs, is kept, and listed. */
export interface Detached extends Pick<RevertReport, 'restored' | 'kept'> {}

/** What is known of a graft. */
export interface GraftInfo {
  readonly name: string
  /** The package's name. */
  readonly engram: string
  /** The package's version. */
  readonly engramVersion: string
  /** The package's root, in hex. */
  readonly root: string
  /** The principal in whose name it is written: `blame` says it of everything that was promoted. */
  readonly principal: string
  /** The version of the graph that it stands on. */
  readonly from: Version
  /** What was grafted: how many facts were new, were there already, were in conflict. */
  readonly counts: PlanCounts
  /** Whether a promotion was ever begun: then a detachment looks for what there is to revert. */
  readonly promoted: boolean
}

/**
 * What is seen of a graft: what its fork shows, has shown, and how it came to that. There are no verbs: what is grafted comes into the graph by
 * `promote` alone. It ends with the graft that it is of.
 */
export interface GraftView
  extends
    Reader,
    Pick<Fork, 'name' | 'from' | 'created' | 'at' | 'snapshot' | 'validAt' | 'history' | 'diff'>,
    Pick<Fork, 'blame' | 'why' | 'changes' | 'indexes' | 'digest' | 'ready' | 'settled' | 'stats'> {}

/**
 * A package that was grafted: a layer above the graph, which the graph itself does not show. The layer is a fork called `engram:ROOT:NAME`, in which a
 * node with the key `engram:ROOT` and the label `Engram` says what was grafted; that node is never promoted. Whoever may open that fork may
 * write into it, and drop it, which leaves what was promoted; it cannot be merged. A graft of which another than its principal, or the program itself, has
 * changed what that node says is none any more: `openGraft` says why.
 */
export interface Graft extends Disposable {
  readonly name: string
  readonly root: string
  /** The principal in whose name it is written: `blame` says it of everything that was promoted. */
  readonly principal: string
  /** What is known of it, as of now. */
  readonly info: GraftInfo
  /**
   * The graph as of the graft, with what was grafted. What others write into its fork is not promoted, nor what they remove from it.
   */
  readonly view: GraftView
  /**
   * Takes facts over into the graph, in one commit, in the name of the graft's principal: what the graft has changed, never what the graph itself had
   * (what both said is the graph's own).
   * What the graph has changed or removed since the graft, promoted or not, is a conflict, and decided by the graft's policies, of which `'newest-valid'`
   * means the graph's then, and `'keep-both'` what the graph holds now together with the package's. Nodes, edges and labels that were removed
   * are decided by the policy of `'*'`. What was promoted before, and is as it was promoted, is not touched. What of the past is not kept any more is not
   * known to be removed.
   *
   * Throws `ERR_KARYON_GRAFT_CONFLICT` where the policy is `'reject'`, `ERR_KARYON_GRAFT` where a node clashes and that is refused,
   * `ERR_KARYON_TRANSACTION_SIZE` for more than a commit holds (1,000,000 nodes and edges, 64 MiB): filter it then. Cost: a pass over what was
   * grafted, which is held in memory, and a look at what has become of each node and edge since.
   */
  promote(options?: PromoteOptions): Promise<Promoted>
  /**
   * Takes all of it out again. Where nothing was promoted, that is one commit; else what was promoted is reverted, at a cost of the commits since
   * the graft and of what was promoted. Where a rule of the graph (`unique`, `required`) stands in the way of some of it, that is kept, and the rest is
   * taken back in several commits of the graft's principal: of each part that is refused, both halves are tried. The digest of the graph is then the one before the graft, but for what others have written since.
   * What another graft says too belongs to the one that was promoted first, and goes with it; graft the other one anew to have it again.
   */
  detach(): Promise<Detached>
  /** Lets go of it; it stays grafted, and can be opened again. */
  close(): void
}

/** What became of a package that was kept. */
export interface Kept {
  readonly root: string
  /** Of the package. */
  readonly bytes: number
  /** Bytes that were written to the folder for it: chunks that it did not have yet, and the list of all. */
  readonly stored: number
  /** Of how many chunks it is. */
  readonly chunks: number
  /** How many of them were there already, in the folder or before in the package itself. */
  readonly shared: number
}

/** A package that is kept. */
export interface KeptInfo {
  readonly root: string
  readonly name: string
  readonly version: string
  /** Of the package. */
  readonly bytes: number
  /** Bytes that were written to the folder when it was kept; others may share them since. */
  readonly own: number
}
