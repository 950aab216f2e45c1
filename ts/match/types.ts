// What a pattern is made of, and what its rows are.
import type { Condition, Edge, Node } from '../graph/types.ts'

/** What is said of a node. It has to meet all of it. */
export interface NodePattern {
  /** It is this one. */
  readonly key?: string
  readonly label?: string
  /** What its properties hold, as for `nodes`. */
  readonly where?: Condition | readonly Condition[]
}

/** How many edges a path has at least (from 0) and at most (to 16). */
export type Hops = readonly [least: number, most: number]

/** What is said of an edge, or of every edge of a path. */
export interface EdgePattern<Length extends Hops = Hops> {
  /** Of one type; of any without. */
  readonly type?: string
  /** Which of parallel edges. */
  readonly key?: string
  /** What its properties hold. */
  readonly where?: Condition | readonly Condition[]
  /** A path in place of one edge. */
  readonly hops?: Length
}

/** What a name can stand for. */
export type Bound = Node | Edge | readonly Edge[] | undefined

/** Rows of a pattern whose names are not known to the compiler. */
export type AnyRow = Readonly<Record<string, Bound>>

/** The row of a pattern that says nothing yet. */
export type EmptyRow = Readonly<Record<never, never>>

/** A row with one more name, or with one that it had. */
export type With<Row, Name extends string, Held> = string extends keyof Row | Name
  ? AnyRow
  : { readonly [Key in keyof Row | Name]: Key extends keyof Row ? Row[Key] : Held }

/** A row with the names of an optional part. */
export type WithOptional<Row, More> = string extends keyof More
  ? AnyRow
  : { readonly [Key in keyof More]: Key extends keyof Row ? Row[Key] : More[Key] | undefined }

/** An edge's type; or what is said of it, with the name by which the rows have it: as an edge, or a path as the list of its edges. */
export type DrawnEdge<Row, As extends string, Length extends Hops> =
  string | (EdgePattern<Length> & { readonly as?: EdgeName<Row, As> })

/** A row with a drawn edge, if it has a name. */
export type WithEdge<Row, As extends string, Length extends Hops> = With<
  Row,
  As,
  [Length] extends [never] ? Edge : readonly Edge[]
>

/** The name where it may stand for a node; what is wrong with it where it may not. */
export type NodeName<Row, Name extends string> = string extends keyof Row
  ? Name
  : Name extends keyof Row
    ? Row[Name] extends Node
      ? Name
      : undefined extends Row[Name]
        ? `"${Name}" is optional: go on from it inside its optional part`
        : `"${Name}" is an edge: give the node another name`
    : Name

/** The name where it may stand for an edge; what is wrong with it where it may not. */
export type EdgeName<Row, Name extends string> = string extends keyof Row
  ? Name
  : Name extends keyof Row
    ? `"${Name}" is taken: give the edge another name`
    : Name
