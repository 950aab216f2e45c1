// Engrams: what is packed, what is told of it, and what becomes of it elsewhere.
import type { KeyObject } from 'node:crypto'
import type { Commit, Edge, EdgeIdentity, Fork, Node, Reader, RevertReport, Target } from '../graph/types.ts'
import type { Moment } from '../time.ts'
import type { Value } from '../values/types.ts'

/**
 * Whose value counts where host and package hold different ones of a property: the host's; the package's; the one whose provenance is newer;
 * both, as a list without doubles, the host's first; or nothing is grafted at all.
 */
export type ConflictPolicy = 'keep-host' | 'take-package' | 'newest-valid' | 'keep-both' | 'reject'

/** By property; `'*'` for all others. */
export type ConflictPolicies = Readonly<Record<string, ConflictPolicy>>

/** Which part of a graph is packed: what meets all that is said. Without anything, all of it. */
export interface Selection {
  /** Nodes with one of these labels. */
  readonly labels?: readonly string[]
  /** Edges of these types, between nodes that are packed; all of them by default. */
  readonly types?: readonly string[]
  /** Nodes within so many edges of these, along edges of `types`, in either direction. */
  readonly around?: { readonly keys: readonly string[]; readonly hops: number }
  /** As of a moment; now by default. */
  readonly at?: Moment
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
  /** Whether each fact says who wrote it and when; true by default. */
  readonly provenance?: boolean
  /** Private Ed25519 keys that sign the root; at most 64. */
  readonly signWith?: readonly KeyObject[]
  /** What it may have at most; by default what whoever opens it allows by default. */
  readonly limits?: PackageLimits
}

/** What a package says of itself. */
export interface Manifest extends Description {
  readonly format: number
  /** The function of the lookup by key. */
  readonly hash: 'xxh3-128'
  readonly parents: readonly string[]
  readonly counts: {
    readonly nodes: number
    readonly edges: number
    /** Existences, labels and properties. */
    readonly facts: number
    readonly sources: number
  }
  /** How often each label, type and property is there. */
  readonly schema: {
    readonly labels: Readonly<Record<string, number>>
    readonly types: Readonly<Record<string, number>>
    readonly properties: Readonly<Record<string, number>>
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
  /** Who wrote a property, or without one made the node or edge, and when; `undefined` where the package does not say. */
  source(target: Target, property?: string): Source | undefined
  close(): void
}

/** What a graft would do, by facts: existences, labels and properties. */
export interface PlanCounts {
  /** The host does not have them. */
  readonly added: number
  /** The host has them already. */
  readonly same: number
  /** The host holds another value. */
  readonly conflicting: number
}

/** One conflict. */
export interface PlannedConflict {
  readonly target: Target
  readonly property: string
  readonly host: Value
  readonly package: Value
  readonly policy: ConflictPolicy
  /** What the graft would hold. */
  readonly outcome: Value
}

/** What may be told of conflicts and clashes, of each so many. */
export interface PlanOptions {
  /** What whoever grafts does about conflicts; `'keep-host'` by default. */
  readonly policies?: ConflictPolicies
  /** How many conflicts and clashes are told in full; 100 by default, 10,000 at most. */
  readonly samples?: number
}

/** A dry run: nothing is changed by it. */
export interface Plan {
  readonly engram: Engram
  readonly counts: PlanCounts
  readonly nodes: PlanCounts
  readonly edges: PlanCounts
  /** About how many bytes of memory the graft would take. */
  readonly bytes: number
  /** Some of the conflicts. */
  readonly conflicts: readonly PlannedConflict[]
  /** Nodes that have the same key and labels, but none in common: most likely they are two things. */
  readonly clashes: { readonly count: number; readonly keys: readonly string[] }
  /** Has it happen, as the host is now. */
  graft(options?: GraftOptions): Promise<Graft>
}

/** How a package is grafted. */
export interface GraftOptions {
  /** By default `NAME@VERSION`. */
  readonly name?: string
  /** Whether what is grafted stays out of the graph until it is promoted; true by default. */
  readonly quarantine?: boolean
  /** Whether nodes that clash are grafted all the same; by default the graft is refused. */
  readonly clashes?: 'refuse' | 'skip' | 'merge'
  /** Whether an older version than one that is grafted is taken; false by default. */
  readonly older?: boolean
}

/** Which facts are promoted. */
export interface PromoteOptions {
  readonly nodes?: (node: Node) => boolean
  readonly edges?: (edge: Edge) => boolean
}

/** What a promotion did. */
export interface Promoted extends Partial<Commit> {
  readonly nodes: number
  readonly edges: number
  /** Edges that were left out, as an end of theirs is not there. */
  readonly dangling: readonly EdgeIdentity[]
}

/** What a detachment did: what was promoted is reverted, and what others have changed since is kept, and listed. */
export interface Detached extends Pick<RevertReport, 'restored' | 'kept'> {}

/** A package that was grafted: a layer above the graph, which the graph itself does not show. */
export interface Graft extends Disposable {
  readonly name: string
  readonly root: string
  /** The principal in whose name it is written: `blame` says it of everything that was promoted. */
  readonly principal: string
  /** The graph as of the graft, with what was grafted. */
  readonly view: Fork
  /** Takes facts over into the graph, in one commit. */
  promote(options?: PromoteOptions): Promise<Promoted>
  /** Takes all of it out again. */
  detach(): Promise<Detached>
  /** Lets go of it; it stays grafted, and can be opened again. */
  close(): void
}
