// What a source file imports, for languages whose imports can be read without a parser. A pure function of the text.
import { includesOfC } from './imports/c.ts'
import { importsOfGo } from './imports/go.ts'
import { importsOfJavaScript } from './imports/javascript.ts'
import { importsOfPython } from './imports/python.ts'
import { usesOfRust } from './imports/rust.ts'

/** The languages whose imports are read. */
export type Language = 'c' | 'go' | 'javascript' | 'python' | 'rust'

/** Nobody writes more by hand; a generated table of includes must not fill a transaction. */
export const IMPORTS_PER_FILE_MAX = 1_000

const READERS: Readonly<Record<Language, (text: string) => Iterable<string>>> = {
  c: includesOfC,
  go: importsOfGo,
  javascript: importsOfJavaScript,
  python: importsOfPython,
  rust: usesOfRust,
}

/** Every language, in a fixed order. */
export const LANGUAGES: readonly Language[] = ['c', 'go', 'javascript', 'python', 'rust']

const LANGUAGE_OF_EXTENSION: ReadonlyMap<string, Language> = new Map<string, Language>([
  ...['c', 'h', 'cc', 'cpp', 'cxx', 'hh', 'hpp'].map((extension) => [extension, 'c'] as const),
  ...['js', 'mjs', 'cjs', 'jsx', 'ts', 'mts', 'cts', 'tsx'].map(
    (extension) => [extension, 'javascript'] as const,
  ),
  ...['py', 'pyi'].map((extension) => [extension, 'python'] as const),
  ['go', 'go'],
  ['rs', 'rust'],
])

/** The language of a path by its extension, if its imports can be read. TypeScript counts as JavaScript: same imports. */
export function languageOf(path: string): Language | undefined {
  const dot = path.lastIndexOf('.')
  return dot > path.lastIndexOf('/')
    ? LANGUAGE_OF_EXTENSION.get(path.slice(dot + 1).toLowerCase())
    : undefined
}

/** The modules that a text imports: each once, sorted, as they are written in the source. */
export function importsOf(language: Language, text: string): string[] {
  const found = new Set<string>()
  for (const specifier of READERS[language](text)) {
    if (specifier !== '') found.add(specifier)
    if (found.size === IMPORTS_PER_FILE_MAX) break
  }
  return [...found].toSorted()
}
