// Any past moment, compared with what git says about it.
import type { Graph } from '../../index.ts'
import { BlobReader } from '../blobs.ts'
import { commitThatBrought, differenceOfTrees, lastCommitBy, tagsOf, treeOf, type Entry } from '../history.ts'
import { importsOf, LANGUAGES } from '../imports.ts'
import { blobKey, EDGE, holdsEdge, languageKey, moduleKey, objectOf, pathKey } from '../model.ts'
import { count, dayText } from '../numbers.ts'
import type { Repository } from '../repository.ts'
import { Seeded } from '../seed.ts'
import { check, type Check } from './check.ts'
import { entryIn, entryText, treeIn, type Timetable } from './timetable.ts'

/** Commits at which paths are asked for; two thirds of them are found by tag or date. */
const COMMITS_ASKED = 30

/** Paths asked for at each of them: 300 pairs in all. */
const PATHS_ASKED = 10

/** Edges whose appearance is compared. */
const EDGES_ASKED = 12

/** A moment of the past with the name by which it was found. */
interface Stop {
  readonly name: string
  readonly place: number
}

/** All that is asked about the past, on one store and one repository. */
export class Travel {
  readonly #graph: Graph
  readonly #repository: Repository
  readonly #timetable: Timetable
  readonly #random: Seeded

  constructor(graph: Graph, repository: Repository, timetable: Timetable, seed: number) {
    this.#graph = graph
    this.#repository = repository
    this.#timetable = timetable
    this.#random = new Seeded(seed, 'travel')
  }

  /** Runs every check of the past. */
  async checks(): Promise<Check[]> {
    const dates = Array.from({ length: COMMITS_ASKED / 3 }, () => this.#date())
    const tags = await this.#tags()
    const stops = [
      ...tags.slice(0, COMMITS_ASKED / 3),
      ...dates.map((seconds) => ({ name: dayText(seconds), place: this.#timetable.placeAsOf(seconds) })),
    ]
    while (stops.length < COMMITS_ASKED) {
      const place = this.#random.below(this.#timetable.line.length)
      stops.push({ name: this.#hash(place).slice(0, 10), place })
    }
    const end = { name: 'the end', place: this.#timetable.line.length - 1 }
    const [first] = stops
    const dated = stops[Math.min(tags.length, COMMITS_ASKED / 3)]
    return [
      await this.#pairs(stops),
      await this.#trees([first, dated, end].filter((stop) => stop !== undefined)),
      await this.#dates(dates),
      await this.#difference(this.#date(), this.#date()),
      await this.#appearances(),
      await this.#imports(),
    ]
  }

  /** (path, commit) pairs, paths that are not there included. */
  async #pairs(stops: readonly Stop[]): Promise<Check> {
    const problems: string[] = []
    const strangers = new Set<string>()
    let pairs = 0
    let absent = 0
    for (const { name, place } of stops) {
      const tree = await treeOf(this.#repository.gitDirectory, this.#hash(place))
      const present = this.#random.sample([...tree.keys()], PATHS_ASKED * 0.6)
      const elsewhere = [...strangers].filter((path) => !present.includes(path))
      // Paths of other commits are the likeliest to have come too late or gone too early.
      const others = this.#random.sample(elsewhere, PATHS_ASKED - 1 - present.length)
      const madeUp = Array.from(
        { length: PATHS_ASKED - present.length - others.length },
        (_, at) => `no/such/path-${at}`,
      )
      const paths = [...present, ...others, ...madeUp]
      for (const path of present) strangers.add(path)
      using view = this.#graph.at(this.#timetable.versionAt(place))
      for (const path of paths) {
        const expected = entryText(tree.get(path))
        const found = entryText(entryIn(view, path))
        pairs += 1
        if (expected === 'absent') absent += 1
        if (found !== expected) problems.push(`${path} at ${name}: ${found}, git has ${expected}`)
      }
    }
    return check(
      'travel/pairs',
      `${count(pairs, 'pair')} (path, commit) as git has them, ${absent} of them absent`,
      problems,
    )
  }

  async #trees(stops: readonly Stop[]): Promise<Check> {
    const problems: string[] = []
    const sizes: string[] = []
    for (const { name, place } of stops) {
      const expected = await treeOf(this.#repository.gitDirectory, this.#hash(place))
      using view = this.#graph.at(this.#timetable.versionAt(place))
      const found = treeIn(view)
      for (const [path, entry] of expected) {
        const key = pathKey(path)
        const mine = found.get(key) ?? 'absent'
        if (mine !== entryText(entry))
          problems.push(`${path} as of ${name}: ${mine}, git has ${entryText(entry)}`)
        found.delete(key)
      }
      for (const key of found.keys()) problems.push(`${key} as of ${name}: git has no such path`)
      sizes.push(`${name} (${count(expected.size, 'file')})`)
    }
    return check('travel/trees', `the whole tree as of ${sizes.join(', ')}, as git ls-tree`, problems)
  }

  async #dates(dates: readonly number[]): Promise<Check> {
    const problems: string[] = []
    for (const seconds of dates) {
      const expected = await lastCommitBy(this.#repository.gitDirectory, this.#repository.head, seconds)
      const found = this.#timetable.line[this.#timetable.placeAsOf(seconds)]?.hash
      if (found !== expected) problems.push(`${dayText(seconds)}: ${found}, git says ${expected}`)
    }
    return check(
      'travel/dates',
      `${count(dates.length, 'date')} lead to the commit that git rev-list names`,
      problems,
    )
  }

  async #difference(one: number, other: number): Promise<Check> {
    const [from, to] = [Math.min(one, other), Math.max(one, other)]
    const [older, newer] = [this.#timetable.placeAsOf(from), this.#timetable.placeAsOf(to)]
    const expected = new Map<string, string>()
    for (const change of await differenceOfTrees(
      this.#repository.gitDirectory,
      this.#hash(older),
      this.#hash(newer),
    ))
      expected.set(pathKey(change.path), `${entryText(change.before)} -> ${entryText(change.after)}`)
    const before = new Map<string, Entry>()
    const after = new Map<string, Entry>()
    for (const difference of this.#graph.diff(
      this.#timetable.versionAt(older),
      this.#timetable.versionAt(newer),
    )) {
      if (typeof difference.target === 'string' || difference.target.type !== EDGE.holds) continue
      const { from: key, to: blob } = difference.target
      for (const [side, entries] of [
        [difference.before, before] as const,
        [difference.after, after] as const,
      ])
        if (side !== undefined) entries.set(key, { mode: String(side.props['mode']), object: objectOf(blob) })
    }
    const problems: string[] = []
    for (const key of new Set([...expected.keys(), ...before.keys(), ...after.keys()])) {
      const found = `${entryText(before.get(key))} -> ${entryText(after.get(key))}`
      if (found !== expected.get(key))
        problems.push(`${key}: ${found}, git has ${expected.get(key) ?? 'no difference'}`)
    }
    return check(
      'travel/diff',
      `diff ${dayText(from)} → ${dayText(to)}: ${count(expected.size, 'path')}, as git diff-tree`,
      problems,
    )
  }

  /** When an edge appeared, and which cell wrote it. */
  async #appearances(): Promise<Check> {
    const problems: string[] = []
    const tree = [...(await treeOf(this.#repository.gitDirectory, this.#repository.head))].filter(
      ([path]) => !path.startsWith('latin1:'),
    )
    let aside: string | undefined
    const asked = this.#random.sample(tree, EDGES_ASKED)
    for (const [path, entry] of asked) {
      const expected = await commitThatBrought(this.#repository.gitDirectory, this.#repository.head, path)
      const place = expected === undefined ? undefined : this.#timetable.placeOf(expected)
      const blame = this.#graph.blame(holdsEdge(path, entry))
      const found = `version ${blame?.version} by ${blame?.principal}`
      const wanted = `version ${place === undefined ? 'none' : this.#timetable.versionAt(place)} by root/crew/ledger`
      if (found !== wanted)
        problems.push(`${path} holds ${entry.object.slice(0, 10)} since ${found}, not ${wanted}`)
      const day = dayText(this.#timetable.line[place ?? 0]?.committedAtSeconds ?? 0)
      aside ??= `${path} holds ${entry.object.slice(0, 10)} since ${day}: version ${blame?.version}, written by ${blame?.principal}`
    }
    return check(
      'travel/appearances',
      `${count(asked.length, 'edge')} appeared with the commit that git log names, written by the ledger`,
      problems,
      aside,
    )
  }

  /** Facts of the readers: what a blob imports, and that a reader wrote it. */
  async #imports(): Promise<Check> {
    const problems: string[] = []
    using blobs = new BlobReader(this.#repository.gitDirectory)
    let facts = 0
    const tree = await treeOf(this.#repository.gitDirectory, this.#repository.head)
    const objects = new Set(
      [...tree.values()].map(({ object }) => object).filter((object) => this.#graph.get(blobKey(object))),
    )
    const asked = this.#random.sample([...objects], EDGES_ASKED * 2)
    for (const object of asked) {
      const blob = await blobs.read(object)
      const expected = new Set<string>()
      for (const language of LANGUAGES) {
        const isRead = this.#graph.edge({
          from: blobKey(object),
          type: EDGE.readAs,
          to: languageKey(language),
        })
        if (isRead === undefined || !('text' in blob)) continue
        for (const specifier of importsOf(language, blob.text)) expected.add(moduleKey(specifier))
      }
      for (const edge of this.#graph.out(blobKey(object), EDGE.imports)) {
        facts += 1
        if (!expected.delete(edge.to)) problems.push(`${object.slice(0, 10)} does not import ${edge.to}`)
        const writer = this.#graph.blame(edge)?.principal
        if (!writer?.startsWith('root/crew/imports-'))
          problems.push(`${object.slice(0, 10)} imports ${edge.to}: written by ${writer}`)
      }
      for (const missing of expected)
        problems.push(`${object.slice(0, 10)} imports ${missing}: not in the graph`)
    }
    return check(
      'travel/imports',
      `${count(facts, 'import')} of ${count(asked.length, 'file')} as their text says, written by the readers`,
      problems,
    )
  }

  async #tags(): Promise<Stop[]> {
    const tags: Stop[] = []
    for (const [name, hash] of await tagsOf(this.#repository.gitDirectory)) {
      const place = this.#timetable.placeOf(hash)
      if (place !== undefined) tags.push({ name, place })
    }
    return this.#random.sample(tags, tags.length)
  }

  #date(): number {
    const dates = this.#timetable.line.map(({ committedAtSeconds }) => committedAtSeconds)
    const first = dates[0] ?? 0
    const last = dates.reduce((latest, date) => Math.max(latest, date), first)
    return first + this.#random.below(last - first + 1)
  }

  #hash(place: number): string {
    return this.#timetable.line[place]?.hash ?? ''
  }
}
