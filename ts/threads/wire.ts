// What the main isolate and a worker say to each other: words in a ring of shared memory for each direction, and what does not fit
// there as parcels of a message port, in the same order. Whoever sleeps in its event loop is woken by its environment's one native call.
import type { MessagePort } from 'node:worker_threads'

/** Cells that a worker may run at once. */
export const SEATS_MAX = 65_536
/** Words of one ring, a power of two: 1 MiB. */
export const RING_WORDS: number = 1 << 18
/** Words that stand before a record's payload: its length, what it says, and six facts. */
export const HEAD_WORDS = 8
/** The most words of a record; a payload that is larger goes as a parcel. */
export const RECORD_WORDS_MAX = 2_048

/** Words of the memory that both sides see, of which those that are written often stand on cache lines of their own. */
export const Place = {
  downWritten: 0,
  downRead: 32,
  upWritten: 64,
  upRead: 96,
  /** Whether main waits to be woken, by `Asleep`. */
  mainSleeps: 128,
  /** Whether the worker does. */
  workerSleeps: 129,
  /** 1 while main has more to say than there is room. */
  mainStarves: 130,
  /** 1 while the worker waits for room. */
  workerStarves: 131,
  /** The seat, from 1, of the cell whose code runs now; 0 is none. */
  running: 132,
  /** The number of the call that was answered last. */
  answered: 133,
  /** The worker's environment, by which it is woken. */
  environment: 134,
  /** What the worker waits on when it sleeps lightly. */
  workerBell: 135,
  /** The number, from 1, of the module that is being loaded; 0 is none. */
  loading: 136,
  /** The number of the turn that runs in that cell, as the watchdog knows it. */
  turn: 137,
  /** 1 once the worker exits by itself. */
  exits: 138,
  words: 160,
} as const

/** How fast a side sleeps: in its event loop, or waiting for its bell. */
export const Asleep = { awake: 0, deep: 1, light: 2 } as const

/** Where the parts of the memory begin, in words. */
const SEATS_AT = Place.words
const DOWN_AT = SEATS_AT + SEATS_MAX
const UP_AT = DOWN_AT + RING_WORDS
const USED_AT = UP_AT + RING_WORDS
const DEAD_AT = USED_AT + 2 * SEATS_MAX
const WORDS = DEAD_AT + SEATS_MAX / 4

/**
 * What a seat's word says when no message of it runs, and when none may begin, then less by one each time; else the number of the handing over
 * of the one that runs.
 */
export const Seated = { idle: 0, closed: -1 } as const

/** Memory for one worker. Untouched parts cost nothing. */
export function shareMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(WORDS * 4)
}

/** The parts of that memory. */
export interface Parts {
  readonly control: Int32Array
  readonly seats: Int32Array
  readonly down: Int32Array
  readonly up: Int32Array
  /** By seat: the CPU time of its turns, in milliseconds. For whoever looks, so that nothing hangs on when it is seen. */
  readonly used: Float64Array
  /** By seat: 1 once its incarnation is dead, which a turn of it learns in no other way while it runs. */
  readonly dead: Uint8Array
}

export function partsOf(memory: SharedArrayBuffer): Parts {
  const part = (at: number, words: number): Int32Array => new Int32Array(memory, at * 4, words)
  return {
    control: part(0, Place.words),
    seats: part(SEATS_AT, SEATS_MAX),
    down: part(DOWN_AT, RING_WORDS),
    up: part(UP_AT, RING_WORDS),
    used: new Float64Array(memory, USED_AT * 4, SEATS_MAX),
    dead: new Uint8Array(memory, DEAD_AT * 4, SEATS_MAX),
  }
}

/** What main says. The facts are named in their order; `…` is a payload. */
export const Down = {
  /** … Run a cell here; see `CellStart`. */
  start: 1,
  /** Seat, slot, code, number of the ask or 0, number of the handing over … A message. */
  message: 2,
  /** Seat. Its incarnation is dead. */
  kill: 3,
  /** Seat, whether because the cell stops. Abort its turn's signal. */
  abort: 4,
  /** Seat, the word with which it was closed. What came before was taken back; what follows counts. */
  resume: 5,
  /** Cell, why, by `DOWNS`. */
  gone: 6,
  /** Cell, its new incarnation. */
  renewed: 7,
  /** Slot here, whether it is a reply … An ask is settled. */
  settled: 8,
  /** Slot here, whether it was admitted … A delivery is over. */
  delivered: 9,
  /** Timer. It will not fall due any more. */
  timerOver: 10,
  /** Number … A module that will be needed. */
  load: 12,
  /** Seat, number … What does its state look like? */
  look: 13,
} as const

/** What a worker says. */
export const Up = {
  /** Cell, code, class, seat of the sender from 1 … */
  send: 1,
  /** Cell, code, slot there, seat of the asker from 1, turn, milliseconds … */
  ask: 2,
  /** Cell, code, slot there … */
  deliver: 3,
  /** Slot there. A delivery is called off. */
  withdraw: 4,
  /** Slot there. An ask is called off. */
  abandon: 5,
  /** Slot, number of the ask, whether it is a reply, the version that has to be durable first in two words, or 0 … */
  reply: 6,
  /** Seat, slot, turn. Its turn goes on, or may. */
  opened: 7,
  /** Seat, slot, verdict, handing over … How a message came out, and what it failed with. */
  out: 8,
  /** Seat, verdict … */
  inited: 9,
  /** Seat, death … */
  fail: 10,
  /** Seat, death. */
  finish: 11,
  /** Seat, milliseconds. */
  lease: 12,
  /** Cell, whether every turn is cut short. */
  stop: 13,
  /** Cell, whether it is paused. */
  pause: 14,
  /** Seat, timer, code, delay, period, whether it keeps the program alive … */
  timerSet: 15,
  /** Timer. */
  timerCancel: 16,
  /** … Something happened. */
  event: 17,
  /** Seat. It is free. */
  vacated: 18,
  /** Number. A call, whose worker waits for the answer; it is a parcel. */
  call: 19,
  /** Cell. Nobody there knows it any more. */
  forgot: 20,
  /** Number … What a state looks like. */
  looked: 21,
  /** Slot there … What is known of a cell? An ask of the kernel, settled as others are. */
  inspect: 23,
  /** Nothing. It is up, or has loaded a module. */
  ready: 22,
  /** Whether work goes on there, which keeps the program alive. */
  works: 25,
  /** Seat … Its turn was stopped inside of an async scope, with this error. Nothing follows. */
  tainted: 24,
} as const

/** What a worker is started with. */
export interface WorkerSeed {
  readonly memory: SharedArrayBuffer
  /** One word, on which main waits when it sleeps lightly. */
  readonly bell: SharedArrayBuffer
  /** What does not fit into the rings. */
  readonly parcels: MessagePort
  /** Answers to calls. */
  readonly answers: MessagePort
  /** Tokens of what it adopts. */
  readonly store: number
  readonly credits: number
  /** Main's environment, by which it is woken. */
  readonly environment: number
  readonly durability: 'durable' | 'relaxed' | 'memory'
  readonly root: number
  readonly seed: number
  readonly check: boolean
}

/** A cell that is to run in a worker. */
export interface CellStart {
  readonly seat: number
  readonly id: number
  readonly path: string
  readonly incarnation: number
  readonly paused: boolean
  /** The token of its session. */
  readonly session: number
  readonly module: string
  /** Its number, by which main knows it. */
  readonly loads: number
  readonly definition: string
  readonly args: unknown
}
