// Cells that somebody in a worker may know: they are told of, and found, also once they are gone here.
import type { Cell } from '../cells/cell.ts'
import { OwnedRef, Reference, SupervisorRef } from '../cells/ref.ts'
import type { CellRuntime } from '../cells/runtime.ts'
import { badArgument } from '../errors.ts'
import { placeOf } from '../cells/scheduler.ts'
import { cellElsewhere, messagesOf, type ReferenceFacts } from './parcels.ts'
import type { Passage } from './values.ts'

/** What one worker knows of the kernel's cells, and what references become on the way there and back. */
export class Acquaintances implements Passage {
  readonly #runtime: CellRuntime
  /** By handle. */
  readonly #known = new Map<number, Cell>()

  constructor(runtime: CellRuntime) {
    this.#runtime = runtime
  }

  add(cell: Cell): void {
    this.#known.set(cell.id, cell)
  }

  has(id: number): boolean {
    return this.#known.has(id)
  }

  /** Nobody there knows it any more; if it is alive somebody may be told of it again. */
  forget(id: number): void {
    if (this.#known.get(id)?.gone !== undefined) this.#known.delete(id)
  }

  /** The cell itself, or what was known of it when it went. */
  at(id: number): Cell | undefined {
    const cell = this.#runtime.cells[placeOf(id)]
    return cell?.id === id ? cell : this.#known.get(id)
  }

  /** What is said of a reference that goes there. */
  out(reference: Reference): ReferenceFacts {
    const cell = Reference.cellOf(reference)
    const { id, path, definition, incarnation, gone } = cell
    if (cell.runtime !== this.#runtime)
      throw badArgument(
        `${path} is a cell of another kernel: its references cannot go to a worker of this one`,
        { path },
      )
    const kind =
      reference instanceof SupervisorRef ? 'supervisor' : reference instanceof OwnedRef ? 'owned' : 'cell'
    const facts = { id, path, incarnation: incarnation.number, kind, gone } as const
    if (gone === undefined && this.has(id)) return facts
    if (gone === undefined) this.add(cell)
    return { ...facts, messages: messagesOf(definition) }
  }

  /** The reference that somebody there has. */
  in(facts: ReferenceFacts): Reference {
    const { id, kind } = facts
    const cell = this.at(id) ?? cellElsewhere(this.#runtime, { ...facts, gone: facts.gone ?? 'stopped' })
    if (kind === 'supervisor' && cell.children !== undefined) return new SupervisorRef(cell, cell.children)
    return kind === 'owned' ? new OwnedRef<never>(cell) : this.#runtime.refOf(cell)
  }
}
