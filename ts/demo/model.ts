// The shape of the graph: what a repository becomes. Everything is keyed by content or by name, never by when it was
// read, so that two runs that met the same facts in another order hold the same graph, digest included.
//
//   (Commit)-[PARENT]->(Commit | SideCommit)      (Path)-[HOLDS {mode}]->(Blob)          what is in the tree
//   (Commit)-[WRITTEN_BY]->(Author)-[IS]->(Person)  (Path)-[RENAMED_FROM]->(Path)
//   (Blob)-[READ_AS {imports}]->(Language)        (Blob)-[IMPORTS]->(Module)
//
// A path that is deleted keeps its node, a name that was once used; what is in the tree is what HOLDS says.
import { createHash } from 'node:crypto'
import type { EdgeIdentity, Target } from '../index.ts'
import type { Author, Entry } from './history.ts'
import { languageOf, type Language } from './imports.ts'

/** Labels of nodes. */
export const LABEL = {
  author: 'Author',
  blob: 'Blob',
  commit: 'Commit',
  language: 'Language',
  module: 'Module',
  path: 'Path',
  person: 'Person',
  /** A merged commit that is not on the first-parent line itself. */
  sideCommit: 'SideCommit',
} as const

/** Types of edges. */
export const EDGE = {
  holds: 'HOLDS',
  imports: 'IMPORTS',
  is: 'IS',
  parent: 'PARENT',
  /** Its property `imports` is missing until a reader has done its work: the graph is the list of what is to be done. */
  readAs: 'READ_AS',
  renamedFrom: 'RENAMED_FROM',
  writtenBy: 'WRITTEN_BY',
} as const

/** Modes of entries that are no source: a commit of another repository (a submodule), and a symbolic link. */
const MODES_WITHOUT_SOURCE: readonly string[] = ['160000', '120000']

/** The longest text that stands in a key as it is; with its prefix it stays within a key's 1 KiB. */
const KEY_TEXT_BYTES_MAX = 960

/** The key of a commit, on the line or merged. */
export function commitKey(hash: string): string {
  return `commit:${hash}`
}

/** The key of a path. */
export function pathKey(path: string): string {
  return keyOf('path', path)
}

/** The key of what a tree entry names: a blob's content, or a submodule's commit. */
export function blobKey(object: string): string {
  return `blob:${object}`
}

/** The key of an author, exactly as commits name them. */
export function authorKey(author: Author): string {
  return keyOf('author', `${author.name} <${author.email}>`)
}

/** The key of the person behind authors that share an address. */
export function personKey(author: Author): string {
  return keyOf('person', author.email.toLowerCase())
}

/** The key of a language. */
export function languageKey(language: Language): string {
  return `language:${language}`
}

/** The key of an imported module, as the source writes it. */
export function moduleKey(specifier: string): string {
  return keyOf('module', specifier)
}

/** The edge that says that a path holds a blob. */
export function holdsEdge(path: string, entry: Entry): EdgeIdentity {
  return { from: pathKey(path), type: EDGE.holds, to: blobKey(entry.object) }
}

/** The edge that says in which language a blob was read. */
export function readAsEdge(object: string, language: Language): EdgeIdentity {
  return { from: blobKey(object), type: EDGE.readAs, to: languageKey(language) }
}

/** The blob that a key names. */
export function objectOf(key: string): string {
  return key.slice('blob:'.length)
}

/** The language to read an entry in, if its imports can be read. */
export function sourceLanguage(path: string, entry: Entry): Language | undefined {
  return MODES_WITHOUT_SOURCE.includes(entry.mode) ? undefined : languageOf(path)
}

/** A node or an edge in words. */
export function nameOf(target: Target): string {
  return typeof target === 'string' ? target : `(${target.from})-[${target.type}]->(${target.to})`
}

function keyOf(kind: string, text: string): string {
  if (Buffer.byteLength(text) <= KEY_TEXT_BYTES_MAX) return `${kind}:${text}`
  return `${kind}#${createHash('sha256').update(text).digest('hex')}`
}
