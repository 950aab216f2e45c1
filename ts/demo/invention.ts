// What the generated repository tells: a small project over some years, with all that makes histories hard.
import type { Author } from './history.ts'
import { Seeded } from './seed.ts'

/** A change of the tree, in the order in which it is made. */
export type TreeChange =
  | { readonly kind: 'write'; readonly path: string; readonly mode: string; readonly content: string }
  | { readonly kind: 'rename'; readonly from: string; readonly path: string }
  | { readonly kind: 'delete'; readonly path: string }

/** A commit or a tag; commits are numbered by marks. */
export type Step =
  | {
      readonly kind: 'commit'
      readonly branch: string
      readonly mark: number
      readonly from?: number
      readonly merge?: number
      readonly author: Author
      readonly atSeconds: number
      readonly subject: string
      readonly changes: readonly TreeChange[]
    }
  | {
      readonly kind: 'tag'
      readonly name: string
      readonly commit: number
      readonly author: Author
      readonly atSeconds: number
    }

const FIRST_COMMIT_SECONDS = 1_546_560_000 // 2019-01-04
const DAY_SECONDS = 86_400
const RELEASE_COMMITS = 200
/** Files in the tree above which more are deleted than written. */
const FILES_AIM = 240

const AUTHORS: readonly Author[] = [
  { name: 'Ada Byron', email: 'ada@example.org' },
  { name: 'Grace Murray', email: 'grace@example.org' },
  { name: 'Grace M.', email: 'Grace@example.org' },
  { name: 'Jürgen Öz', email: 'juergen@example.org' },
  { name: '中村 さくら', email: 'sakura@example.org' },
  { name: 'build bot', email: 'bot@example.org' },
]
const VERBS = ['Add', 'Fix', 'Simplify', 'Speed up', 'Explain', 'Harden', 'Split', 'Test']
const PARTS = ['parser', 'index', 'cache', 'queue', 'codec', 'router', 'clock', 'ledger', 'probe', 'tree']
const FOLDERS = ['src', 'lib', 'tools', 'tests', 'src/core', 'docs with spaces', 'größe']

interface File {
  mode: string
  content: string
}

/** How each language writes an import, so that the files are worth reading. */
const LANGUAGES: readonly { readonly extension: string; readonly importing: (name: string) => string }[] = [
  { extension: 'ts', importing: (name) => `import { ${name} } from './${name}.ts'` },
  { extension: 'js', importing: (name) => `const ${name} = require('${name}')` },
  { extension: 'py', importing: (name) => `from .${name} import ${name}` },
  { extension: 'go', importing: (name) => `import "example.org/${name}"` },
  { extension: 'rs', importing: (name) => `use crate::${name}::{self, open};` },
  { extension: 'c', importing: (name) => `#include "${name}.h"` },
  { extension: 'md', importing: (name) => `See also ${name}.` },
]

/** Draws a history: a main line with side branches that are merged, and now and then a tag. */
export class Invention {
  readonly #random: Seeded
  readonly #files = new Map<string, File>()
  #mark = 0
  #atSeconds = FIRST_COMMIT_SECONDS
  #paths = 0

  constructor(seed: number) {
    this.#random = new Seeded(seed, 'invention')
  }

  /** The steps up to `commits` commits on the main line. */
  *steps(commits: number): Generator<Step, void, undefined> {
    let tip: number | undefined
    for (let place = 1; place <= commits; place++) {
      if (tip !== undefined && this.#random.chance(0.12))
        tip = yield* this.#mergedBranch(tip, `topic-${place}`)
      else tip = yield* this.#commit('main', place === 1 ? this.#beginning() : this.#changes(), tip)
      if (place % RELEASE_COMMITS === 0) yield this.#tag(tip, `v0.${place / RELEASE_COMMITS}.0`)
    }
  }

  /** One to four commits beside the line, and their merge. */
  *#mergedBranch(tip: number, branch: string): Generator<Step, number, undefined> {
    const before = new Map(this.#files)
    let side = tip
    for (let left = 1 + this.#random.below(4); left > 0; left--)
      side = yield* this.#commit(branch, this.#changes(), side)
    const merged: TreeChange[] = []
    for (const path of before.keys()) if (!this.#files.has(path)) merged.push({ kind: 'delete', path })
    for (const [path, file] of this.#files) {
      if (before.get(path) !== file) merged.push({ kind: 'write', path, ...file })
    }
    // A merge is the first parent's tree and what the branch did; git finds its renames again.
    return yield* this.#commit('main', merged, tip, side, `Merge branch '${branch}'`)
  }

  *#commit(
    branch: string,
    changes: readonly TreeChange[],
    from?: number,
    merge?: number,
    subject?: string,
  ): Generator<Step, number, undefined> {
    this.#mark += 1
    yield {
      kind: 'commit',
      branch,
      mark: this.#mark,
      ...(from === undefined ? {} : { from }),
      ...(merge === undefined ? {} : { merge }),
      author: this.#random.pick(AUTHORS),
      atSeconds: this.#nextSecond(),
      subject: subject ?? `${this.#random.pick(VERBS)} the ${this.#random.pick(PARTS)}`,
      changes,
    }
    return this.#mark
  }

  #tag(commit: number, name: string): Step {
    return { kind: 'tag', name, commit, author: this.#random.pick(AUTHORS), atSeconds: this.#atSeconds }
  }

  /** Hours between commits as a rule, now and then months; and some clocks are wrong. */
  #nextSecond(): number {
    if (this.#random.chance(0.01)) this.#atSeconds += (30 + this.#random.below(60)) * DAY_SECONDS
    else this.#atSeconds += this.#random.below(DAY_SECONDS / 2)
    return this.#random.chance(0.03) ? this.#atSeconds - this.#random.below(5 * DAY_SECONDS) : this.#atSeconds
  }

  #beginning(): TreeChange[] {
    const changes = Array.from({ length: 30 }, () => this.#write())
    changes.push(this.#set('latest', { mode: '120000', content: 'src' }))
    changes.push(this.#set('assets/logo.bin', { mode: '100644', content: '\u0000\u0001\u0002logo\u0000' }))
    changes.push(this.#set('say "hello".js', { mode: '100644', content: "import './greeting.js'\n" }))
    return changes
  }

  #changes(): TreeChange[] {
    return Array.from({ length: 1 + this.#random.below(4) }, () => this.#change())
  }

  #change(): TreeChange {
    const draw = this.#random.next()
    const path = this.#random.pick([...this.#files.keys()])
    const file = this.#files.get(path)
    if (file === undefined || draw < (this.#files.size < FILES_AIM ? 0.3 : 0.1)) return this.#write()
    if (draw < 0.38) return this.#rename(path, file)
    if (draw < 0.48 && this.#files.size > 20) {
      this.#files.delete(path)
      return { kind: 'delete', path }
    }
    if (draw < 0.5 && file.mode !== '120000')
      return this.#set(path, { mode: file.mode === '100755' ? '100644' : '100755', content: file.content })
    if (file.mode === '120000')
      return this.#set(path, { mode: file.mode, content: this.#random.pick(FOLDERS) })
    return this.#set(path, { mode: file.mode, content: this.#edited(file.content) })
  }

  #rename(from: string, file: File): TreeChange {
    const extension = from.slice(from.lastIndexOf('.') + 1)
    const path = this.#freshPath(extension === from ? 'txt' : extension)
    this.#files.delete(from)
    this.#files.set(path, file)
    return { kind: 'rename', from, path }
  }

  #write(): TreeChange {
    const language = this.#random.pick(LANGUAGES)
    const imports = Array.from({ length: 1 + this.#random.below(4) }, () =>
      language.importing(this.#random.pick(PARTS)),
    )
    const body = Array.from({ length: 5 + this.#random.below(40) }, () => this.#sentence())
    const content = [...new Set(imports), '', ...body, ''].join('\n')
    return this.#set(this.#freshPath(language.extension), { mode: '100644', content })
  }

  #set(path: string, file: File): TreeChange {
    this.#files.set(path, file)
    return { kind: 'write', path, ...file }
  }

  #edited(content: string): string {
    const lines = content.split('\n')
    lines.splice(this.#random.below(lines.length), this.#random.below(2), this.#sentence())
    return lines.join('\n')
  }

  #sentence(): string {
    return `// ${this.#random.pick(VERBS)} ${this.#random.pick(PARTS)} ${this.#random.below(1_000)}`
  }

  /** Some paths come back after they were deleted: every tenth is an old number again. */
  #freshPath(extension: string): string {
    for (;;) {
      const number = this.#random.chance(0.1) ? this.#random.below(this.#paths + 1) : this.#paths++
      const path = `${this.#random.pick(FOLDERS)}/${this.#random.pick(PARTS)}-${number}.${extension}`
      if (!this.#files.has(path)) return path
    }
  }
}
