// The children of a supervisor: which there are, and where each stands among them.
import { badArgument, type KaryonError } from '../errors.ts'
import type { Cell } from './cell.ts'
import {
  checkFields,
  checkedChild,
  restartOf,
  type AnyDefinition,
  type ChildSpec,
  type RestartKind,
  type SupervisorDefinition,
} from './definition.ts'
import { failure, goneError } from './failures.ts'
import { Op } from './protocol.ts'
import { Reference, type AnyRef } from './ref.ts'
import { LIMITS } from './scheduler.ts'
import type { ChildPlace, Definition, SpawnOptions } from './spawn.ts'

/** A child of a supervisor, as it stands. */
export interface ChildInfo {
  readonly name: string
  readonly kind: 'cell' | 'supervisor'
  readonly restart: RestartKind
  readonly significant: boolean
  /** The living one; absent while it is terminated, or after it ended by itself. */
  readonly ref?: AnyRef
}

interface Child {
  readonly spec: ChildSpec
  readonly place: number
  readonly dynamic: boolean
  ref: AnyRef
}

/** What starts a child. */
type Start = (supervisor: Cell, definition: Definition, options: SpawnOptions, how: ChildPlace) => AnyRef

/** What a supervisor can be asked about its children, wherever it is. */
export interface AskedChildren {
  get(name: string): { readonly ref: AnyRef }
  list(): readonly ChildInfo[]
  start(child: Partial<ChildSpec> | AnyDefinition): AnyRef
  restart(name: string): AnyRef
  delete(name: string): void
}

/** The children of one supervisor. */
export class Children implements AskedChildren {
  readonly #supervisor: Cell
  readonly #definition: SupervisorDefinition
  readonly #spawn: Start
  readonly #children = new Map<string, Child>()
  /** By place. */
  readonly #names = new Map<number, string>()
  /** Places are never used again, so whoever comes later stands behind. */
  #places = 0

  constructor(supervisor: Cell, definition: SupervisorDefinition, start: Start) {
    this.#supervisor = supervisor
    this.#definition = definition
    this.#spawn = start
  }

  get #simple(): boolean {
    return this.#definition.strategy === 'simple_one_for_one'
  }

  /**
   * Starts those that the definition names and that are not there: all at first, after a restart those that were ended meanwhile. The
   * order in which they come up is that of their places.
   */
  startAll(): void {
    for (const [name, child] of this.#children) if (child.dynamic) this.#forget(name, child)
    if (this.#simple) return
    this.#definition.children.forEach((spec, at) => {
      const { name = spec.cell.name } = spec
      const known = this.#children.get(name)
      // What is told to stop and is not gone yet has its name still; it can be restarted by hand.
      if (known === undefined || Reference.cellOf(known.ref).gone !== undefined)
        this.#start(name, { spec, place: at + 1, dynamic: false })
    })
  }

  /** Starts another one, behind all others. */
  start(child: Partial<ChildSpec> | AnyDefinition): AnyRef {
    const { path } = this.#supervisor
    this.#assertLives()
    const { autoShutdown, children } = this.#definition
    // Each of one kind has a name of its own.
    const { name: _, ...kind } = children[0] ?? { cell: undefined }
    if (this.#simple) checkFields(child, `a child of ${path}, which are all of one kind`, ['name', 'args'])
    const said = this.#simple ? { ...kind, ...child } : child
    const spec = checkedChild(said as ChildSpec, path, autoShutdown)
    const { name } = spec
    const called = name ?? spec.cell.name
    // Without a name it gets a number where a living one has it; one that is terminated keeps its own.
    if (this.#children.has(called) && (name !== undefined || !this.get(called).ref.alive))
      throw this.#known(called)
    return this.#start(name, { spec, place: Math.max(this.#places, children.length) + 1, dynamic: true })
  }

  #assertLives(): void {
    const { live, path, failure: cause } = this.#supervisor
    if (!live) throw goneError(path, cause)
  }

  /** The child of a name, terminated or not. */
  get(name: string): Child {
    const child = this.#children.get(name)
    if (child === undefined) throw noChild(this.#supervisor.path, name)
    return child
  }

  /** Starts a child again that was terminated, or that ended by itself, in its old place. */
  restart(name: string): AnyRef {
    this.#assertLives()
    const child = this.#idle(name)
    return this.#start(name, child)
  }

  /** Forgets a child that was terminated, or that ended by itself. */
  delete(name: string): void {
    const child = this.#idle(name)
    this.#forget(name, child)
    this.#leaveVacant(child.place)
  }

  /** A group starts to which a child belongs that was terminated, or that ended by itself: it does, too, in its place. */
  fill(place: number): void {
    const name = this.#names.get(place)
    const child = name === undefined ? undefined : this.#children.get(name)
    if (child === undefined || Reference.cellOf(child.ref).gone === undefined) this.#leaveVacant(place)
    else this.#start(name, child)
  }

  /** Nobody takes the place: not in this incarnation of the supervisor, or, where its definition names nobody for it, never. */
  #leaveVacant(place: number): void {
    const { id, runtime } = this.#supervisor
    runtime.scheduler.write(Op.vacant, id, place, place > this.#definition.children.length ? 1 : 0)
  }

  #forget(name: string, { place }: Child): void {
    this.#children.delete(name)
    this.#names.delete(place)
  }

  #idle(name: string): Child {
    const child = this.get(name)
    if (Reference.cellOf(child.ref).gone === undefined) throw this.#known(name)
    return child
  }

  #known(name: string): Error {
    const { path } = this.#supervisor
    const message = `${path} has a child ${name}; terminate it, and restart or delete it once it is gone`
    return failure('ERR_KARYON_CELL_NAME', message, { path, name })
  }

  /** A child is gone. Those that are never restarted are forgotten, and so are those of one kind. */
  gone(cell: Cell): void {
    const { name } = cell
    const child = this.#children.get(name)
    if (child === undefined || Reference.cellOf(child.ref) !== cell) return
    if (this.#simple || restartOf(child.spec) === 'temporary') this.#forget(name, child)
  }

  list(): readonly ChildInfo[] {
    const inOrder = [...this.#children].toSorted(([, a], [, b]) => a.place - b.place)
    return inOrder.map(([name, { spec, ref }]) => ({
      name,
      kind: spec.cell.kind,
      restart: restartOf(spec),
      significant: spec.significant ?? false,
      ...(ref.alive ? { ref } : {}),
    }))
  }

  #start(given: string | undefined, { spec, place, dynamic }: Omit<Child, 'ref'>): AnyRef {
    const { args, significant = false, shutdownMs = LIMITS.shutdownDefaultMs } = spec
    const how = { restart: restartOf(spec), significant, shutdownMs, place, dynamic }
    const options = given === undefined ? { args } : { name: given, args }
    const ref = this.#spawn(this.#supervisor, spec.cell as Definition, options, how)
    this.#places = Math.max(this.#places, place)
    const { name } = Reference.cellOf(ref)
    this.#children.set(name, { spec, place, dynamic, ref })
    this.#names.set(place, name)
    return ref
  }
}

/** A supervisor has no child of this name, which may be none. */
export function noChild(path: string, name: string): KaryonError {
  const called = typeof name === 'string' ? name : `that has a ${typeof name} for a name`
  return badArgument(`${path} has no child ${called}`, { path, name: called })
}
