// What is known of the nodes that are recalled, up to a version: it follows a graph, or reads once what never changes.
import { setImmediate as turnOfLoop } from 'node:timers/promises'
import { badArgument, KaryonError } from '../errors.ts'
import type { Graph, Node, Reader, View } from '../graph/types.ts'
import type { Moment } from '../time.ts'
import type { Memory } from './memory.ts'
import { factsOf, memoryFor, type RecallOptions, textOf } from './options.ts'

/** What `handles` says of a node that does not exist. */
const NO_HANDLE = 2 ** 32 - 1
/** How long others wait at a time while it is opened. */
const STRETCH_MS = 10

/** A text that holds now. */
interface Held {
  readonly row: number
  readonly text: string
}

/** Rows of a memory, each for what a node said from a version on. */
export class Following {
  readonly memory: Memory
  /** What it follows; nothing where it recalls what never changes. */
  readonly #graph: Graph | undefined
  readonly #options: RecallOptions
  readonly #held = new Map<string, Held>()
  /** The nodes with the label, those without a text too. */
  readonly #labelled = new Set<string>()
  #opened = 0
  #version = 0

  private constructor(graph: Graph | undefined, options: RecallOptions, texts: number) {
    this.#graph = graph
    this.#options = options
    this.memory = memoryFor(texts)
  }

  static async open(source: Reader, options: RecallOptions): Promise<Following> {
    const [graph, { label }] = [isGraph(source) ? source : undefined, options]
    using now = graph?.snapshot()
    const texts = now ?? source
    const following = new Following(graph, options, texts.count({ label }))
    let begun = performance.now()
    for (const node of texts.nodes({ label })) {
      following.#learn(node.key, node, 0)
      if (performance.now() - begun < STRETCH_MS) continue
      await turnOfLoop()
      begun = performance.now()
    }
    following.#version = Number(now?.version ?? 0n)
    following.#opened = following.#version
    return following
  }

  /** The version up to which it has followed. */
  get version(): number {
    return this.#version
  }

  /** The version of a moment. */
  moment(at: Moment): number {
    if (this.#graph === undefined) throw badArgument(STILL)
    using view = this.#graph.at(at)
    const version = Number(view.version)
    if (version < this.#opened) {
      const message = `this recall knows versions from ${this.#opened} on; open another one, of graph.at() of that moment`
      throw new KaryonError('ERR_KARYON_HORIZON', message, { details: { version, from: this.#opened } })
    }
    return version
  }

  /** Takes over what was committed since. Done by every `find`; costs what has changed. */
  follow(): void {
    const graph = this.#graph
    if (graph === undefined) return
    using now = graph.snapshot()
    const version = Number(now.version)
    if (version === this.#version) return
    let isErased = false
    try {
      // One by one: what came and went between two of them is of the versions between them.
      while (this.#version < version) {
        const next = BigInt(this.#version) + 1n
        let isEmpty = true
        for (const { target } of graph.diff(next - 1n, next)) {
          isEmpty = false
          if (typeof target === 'string') this.#step(graph, target, Number(next))
        }
        // An erasure leaves no difference behind; nor does what is written into a fork.
        isErased ||= isEmpty && !isOfFork(graph, next)
        this.#version = Number(next)
      }
    } catch (error) {
      if (!(error instanceof KaryonError && error.code === 'ERR_KARYON_HORIZON')) throw error
      // The way there was let go: what is there now is compared, and no older version is known any more.
      const { label } = this.#options
      const gone = new Set(this.#labelled)
      for (const node of now.nodes({ label })) {
        gone.delete(node.key)
        this.#learn(node.key, node, version)
      }
      for (const key of gone) this.#learn(key, undefined, version)
      this.#opened = this.#version = version
      this.memory.forgetUntil(version)
      isErased = true
    }
    if (isErased) this.#forgetErased(graph, now)
  }

  /** Forgets each row whose node is no more where the row begins: nothing of what is erased may be left here. */
  #forgetErased(graph: Graph, now: Reader): void {
    for (const [from, rows] of this.memory.byVersion()) {
      for (const [row, key] of this.#withoutNodes(graph, Math.max(from, this.#opened), rows)) {
        this.memory.forget(row)
        if (this.#held.get(key)?.row !== row) continue
        this.#held.delete(key)
        this.#labelled.delete(key)
        // It may have been made again, as something else.
        const node = now.get(key)
        if (node?.labels.includes(this.#options.label)) this.#learn(key, node, this.#version)
      }
    }
  }

  /** The rows of nodes that a version does not have, with what they are called. */
  #withoutNodes(graph: Graph, version: number, rows: readonly number[]): [number, string][] {
    const { keys } = this.memory
    const wanted = rows.map((row) => keys[row]!)
    using view = viewAt(graph, version)
    const handles = view?.handles(wanted)
    const all = rows.map((row, at): [number, string] => [row, wanted[at]!])
    // Of a version that was let go, nobody can ask.
    return handles === undefined ? all : all.filter((_, at) => handles[at] === NO_HANDLE)
  }

  #step(graph: Graph, key: string, version: number): void {
    using view = graph.at(BigInt(version))
    const node = view.get(key)
    this.#learn(key, node?.labels.includes(this.#options.label) ? node : undefined, version)
  }

  /** What a node says from a version on. */
  #learn(key: string, node: Node | undefined, version: number): void {
    if (node === undefined) this.#labelled.delete(key)
    else this.#labelled.add(key)
    const held = this.#held.get(key)
    const text = node && textOf(node.props, this.#options)
    if (node !== undefined && held !== undefined && held.text === text) {
      this.memory.set(held.row, factsOf(node.props, this.#options))
      return
    }
    if (held !== undefined) {
      this.memory.end(held.row, version)
      this.#held.delete(key)
    }
    if (node === undefined || text === undefined) return
    const row = this.memory.add(key, text, version, factsOf(node.props, this.#options))
    this.#held.set(key, { row, text })
  }
}

/** Whether a commit was into one of the forks. */
function isOfFork(graph: Graph, version: bigint): boolean {
  return graph.forks().some(({ name, created }) => {
    if (created > version) return false
    if (created === version) return true
    const fork = graph.openFork(name)
    try {
      return fork.diff(version - 1n, version).next().done !== true
    } finally {
      fork.close()
    }
  })
}

/** A version, unless it was let go. */
function viewAt(graph: Graph, version: number): View | undefined {
  try {
    return graph.at(BigInt(version))
  } catch (error) {
    if (error instanceof KaryonError && error.code === 'ERR_KARYON_HORIZON') return undefined
    throw error
  }
}

/** What is said to who asks of a moment where there is but one. */
export const STILL = 'what never changes is recalled as it is; leave `at` out'

export function isGraph(source: Reader): source is Graph {
  return 'snapshot' in source && 'diff' in source
}
