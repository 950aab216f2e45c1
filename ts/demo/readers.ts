// Gives the readers their work: each author and each blob once, and what an earlier life left undone.
import type { Graph } from '../index.ts'
import type { Crew } from './cells/crew.ts'
import type { Reading } from './cells/imports.ts'
import type { Author, GitCommit, LinePoint } from './history.ts'
import { LANGUAGES } from './imports.ts'
import { authorKey, EDGE, languageKey, objectOf, readAsEdge, sourceLanguage } from './model.ts'
import { Pool } from './pool.ts'
import { TURN_ANSWER_MS, type Evidence } from './protocol.ts'
import { isAccident } from './saboteur.ts'

/** Blobs that are read in one turn: one transaction, one accident at most. */
const READINGS_PER_TURN = 32

/** Authors that are met in one turn. */
const AUTHORS_PER_TURN = 8

/** Everything that does not depend on order. */
export class Readers {
  readonly #graph: Graph
  readonly #authors: Pool<Author>
  readonly #imports: Pool<Reading>
  readonly #given = new Set<string>()

  /** `acknowledged` hears of each transaction once it is durable. */
  constructor(graph: Graph, crew: Crew, acknowledged: (evidence: Evidence) => void) {
    this.#graph = graph
    const prove = (target: Evidence['target'], property: string): void =>
      acknowledged({ target, property, version: graph.blame(target, property)?.version ?? 0n })
    const meet = async (authors: readonly Author[]): Promise<void> => {
      await crew.authors.ask('meet', authors, { timeoutMs: TURN_ANSWER_MS })
      for (const author of authors.slice(0, 1)) prove(authorKey(author), 'email')
    }
    this.#authors = new Pool([meet], AUTHORS_PER_TURN, isAccident)
    this.#imports = new Pool(
      crew.imports.map((reader) => async (readings: readonly Reading[]) => {
        await reader.ask('read', readings, { timeoutMs: TURN_ANSWER_MS })
        for (const { object, language } of readings.slice(0, 1))
          prove(readAsEdge(object, language), 'imports')
      }),
      READINGS_PER_TURN,
      isAccident,
    )
  }

  /** What the graph says is not done: the part of the line that is recorded already, by a life that was cut short. */
  async resume(recorded: readonly LinePoint[]): Promise<void> {
    for (const { author } of recorded) {
      if (this.#graph.get(authorKey(author))?.props['email'] !== undefined) this.#given.add(authorKey(author))
      else await this.#meet(author)
    }
    for (const language of LANGUAGES) {
      const key = languageKey(language)
      if (this.#graph.get(key) === undefined) continue
      for (const edge of this.#graph.in(key, EDGE.readAs)) {
        if (edge.props['imports'] === undefined) await this.#read({ object: objectOf(edge.from), language })
        else this.#given.add(`${edge.from} ${language}`)
      }
    }
  }

  /** Hands over what a commit brings that nobody has seen yet. */
  async offer({ author, changes }: GitCommit): Promise<void> {
    await this.#meet(author)
    for (const { path, after } of changes) {
      const language = after === undefined ? undefined : sourceLanguage(path, after)
      if (after !== undefined && language !== undefined) await this.#read({ object: after.object, language })
    }
  }

  /** Resolves when everything handed over is durable. */
  async drained(): Promise<void> {
    await Promise.all([this.#authors.drained(), this.#imports.drained()])
  }

  async #meet(author: Author): Promise<void> {
    if (this.#isNew(authorKey(author))) await this.#authors.add(author)
  }

  async #read(reading: Reading): Promise<void> {
    if (this.#isNew(`blob:${reading.object} ${reading.language}`)) await this.#imports.add(reading)
  }

  #isNew(what: string): boolean {
    if (this.#given.has(what)) return false
    this.#given.add(what)
    return true
  }
}
