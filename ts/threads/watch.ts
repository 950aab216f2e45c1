// What the watchdog's thread sees of a worker: a scheduler with a cell for each seat, of which it knows the limit.
import { checked } from '../errors.ts'
import type { CellScheduler } from '../cells/scheduler.ts'
import { Header } from '../cells/protocol.ts'
import { native } from '../native.ts'

/** How a seat is called there: what its cell is made of, its number, its limit. */
const SEAT = /-(\d+)-\d+$/
/** As much of a definition's name as a name there holds, whatever its letters are. */
const NAME_LETTERS = 64

/** The scheduler that only the watchdog looks at. */
export class Watch {
  readonly #memory: CellScheduler['memory']
  readonly #turn: Uint32Array
  /** By name. */
  readonly #seats = new Map<string, number>()

  constructor(memory: CellScheduler['memory']) {
    this.#memory = memory
    const { buffer, byteOffset, BYTES_PER_ELEMENT } = memory.header
    this.#turn = new Uint32Array(buffer, byteOffset + Header.turn * BYTES_PER_ELEMENT, 2)
  }

  /** What a seat is known by whose cell may take so long. */
  seat(number: number, definition: string, turnCpuMs: number): number {
    const name = `${definition.slice(0, NAME_LETTERS)}-${number}-${turnCpuMs}`
    let id = this.#seats.get(name)
    if (id === undefined) {
      const { handle, root, header } = this.#memory
      // No flag, no place, a mailbox of one, no limits but this.
      header.set([0, 0, 1, 0, 0, turnCpuMs], Header.terms)
      id = checked(native.spawnCell(handle, root, name))
      this.#seats.set(name, id)
    }
    return id
  }

  /** A turn begins, or none goes on. */
  begin(turn: number, seat: number): void {
    this.#turn[0] = seat
    this.#turn[1] = turn
  }

  /** A sign of life. */
  beat(): void {
    this.#memory.header[Header.records] = 0
    checked(Reflect.apply(this.#memory.cross, undefined, []))
  }
}

/** The seat that an overrun is of. */
export function seatOf(path: string): number {
  return Number(SEAT.exec(path)?.[1] ?? 0)
}
