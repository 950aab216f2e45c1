// What is going on, while it goes on: one line that changes on a terminal, one line per phase in a pipe.

/** Where progress is shown. */
export interface Screen {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

/** More pictures a second than this are flicker. */
const FRAME_MS = 100

const BAR_CELLS = 24

/** Terminals that do not know their width say 0, or nothing. */
const COLUMNS_UNKNOWN = 80

/** Shows phases one after the other. */
export class Progress {
  readonly #screen: Screen
  readonly #live: boolean
  readonly #nowMs: () => number
  #phase = ''
  #shownAtMs = Number.NEGATIVE_INFINITY

  constructor(screen: Screen, nowMs: () => number = () => performance.now()) {
    this.#screen = screen
    this.#live = screen.isTTY === true
    this.#nowMs = nowMs
  }

  /** A new phase begins. */
  begin(phase: string): void {
    this.end()
    this.#phase = phase
    if (this.#live) this.#show('')
    else this.#screen.write(`${phase} …\n`)
  }

  /** How far the phase is. Shown on a terminal only, and not more often than the eye follows. */
  update(share: number, text: string): void {
    if (!this.#live || this.#nowMs() - this.#shownAtMs < FRAME_MS) return
    const full = Math.round(Math.min(1, Math.max(0, share)) * BAR_CELLS)
    this.#show(` ${'━'.repeat(full)}${'─'.repeat(BAR_CELLS - full)} ${text}`)
  }

  /** Takes the line away again. */
  end(): void {
    if (this.#live && this.#phase !== '') this.#screen.write('\r\u001b[K')
    this.#phase = ''
    this.#shownAtMs = Number.NEGATIVE_INFINITY
  }

  #show(text: string): void {
    this.#shownAtMs = this.#nowMs()
    // A line that wraps could not be taken back.
    const line = `  ${this.#phase}${text}`.slice(0, (this.#screen.columns || COLUMNS_UNKNOWN) - 1)
    this.#screen.write(`\r${line}\u001b[K`)
  }
}
