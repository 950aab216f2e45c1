import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { ROOT } from '../house/source.ts'

const PROGRAMS = new URL('./programs/', import.meta.url)

/** How a program ended. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** The whole lines of its output. */
  readonly lines: readonly string[]
  readonly errors: string
}

/** A program of the folder beside this file, in a process of its own. */
export class Child {
  readonly process: ChildProcess
  readonly #lines: string[] = []
  readonly #ended: Promise<Ended>
  #errors = ''
  #wanted: { readonly count: number; readonly resolve: () => void } | undefined

  /** `shell` stands before the command, such as limits for it. */
  constructor(program: string, args: readonly string[], shell = '') {
    const file = fileURLToPath(new URL(program, PROGRAMS))
    const node = ['--import=@oxc-node/core/register', file, ...args]
    const [command, words] = shell
      ? ['sh', ['-c', `${shell} && exec "$0" "$@"`, process.execPath, ...node]]
      : [process.execPath, node]
    this.process = spawn(command, words, { cwd: ROOT, stdio: 'pipe' })
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#errors += text))
    const lines = createInterface({ input: this.process.stdout! })
    lines.on('line', (line) => {
      this.#lines.push(line)
      if (this.#wanted && this.#lines.length >= this.#wanted.count) this.#wanted.resolve()
    })
    this.#ended = Promise.all([once(this.process, 'close'), once(lines, 'close')]).then(
      ([[code, signal]]) => ({
        code: code as number | null,
        signal: signal as NodeJS.Signals | null,
        lines: this.#lines,
        errors: this.#errors,
      }),
    )
  }

  /** Resolves when it has said so many lines; rejects when it ends before. */
  async said(count: number): Promise<void> {
    if (this.#lines.length >= count) return
    const enough = new Promise<void>((resolve) => (this.#wanted = { count, resolve }))
    const ended = this.#ended.then(({ errors, code }) => {
      throw new Error(`the program ended with ${code} after ${this.#lines.length} lines: ${errors}`)
    })
    await Promise.race([enough, ended])
  }

  kill(): void {
    this.process.kill('SIGKILL')
  }

  ended(): Promise<Ended> {
    return this.#ended
  }
}
