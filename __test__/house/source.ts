import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The root of the repository. */
export const ROOT: string = fileURLToPath(new URL('../../', import.meta.url))

/** Every file under a folder of the repository whose name ends so, with forward slashes, sorted. */
export function filesUnder(folder: string, ending: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .toSorted()
}

export function read(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8')
}

/**
 * The lines of a formatted source file that are neither blank nor comment. That the formatters put every
 * comment of its own on a line that starts with it is what makes this short.
 */
export function codeLines(source: string): string[] {
  const code: string[] = []
  let inBlockComment = false
  for (const line of source.split('\n')) {
    const text = line.trim()
    if (!inBlockComment && text.startsWith('/*')) inBlockComment = true
    const counts = text !== '' && !inBlockComment && !text.startsWith('//')
    if (inBlockComment && text.includes('*/')) inBlockComment = false
    if (counts) code.push(line)
  }
  return code
}

/** The code of a crate as it ships: without items for tests or for builds broken on purpose, and the files they name. */
export function shippedRust(crateSource: string): Map<string, string[]> {
  const files = new Map(filesUnder(crateSource, '.rs').map((file) => [file, codeLines(read(file))]))
  for (const [file, lines] of files) {
    const { kept, modules } = withoutTestItems(lines)
    files.set(file, kept)
    const folder = /(?:^|\/)(?:lib|mod|main)\.rs$/.test(file)
      ? file.slice(0, file.lastIndexOf('/') + 1)
      : file.replace(/\.rs$/, '/')
    for (const name of modules) {
      for (const other of files.keys()) {
        if (other === `${folder}${name}.rs` || other.startsWith(`${folder}${name}/`)) files.delete(other)
      }
    }
  }
  return files
}

/** The code of the package as it ships: without the generated loader. */
export function shippedTypeScript(): Map<string, string[]> {
  const files = filesUnder('ts', '.ts').filter((file) => !file.startsWith('ts/native/'))
  return new Map(files.map((file) => [file, codeLines(read(file))]))
}

const NOT_SHIPPED = /^\s*#\[cfg\((?:test|karyon_broken = "\w+")\)\]$/

/** rustfmt ends an item at the first line that closes it at the indentation of its first line. */
function withoutTestItems(lines: readonly string[]): { kept: string[]; modules: string[] } {
  const kept: string[] = []
  const modules: string[] = []
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!
    if (!NOT_SHIPPED.test(line)) {
      kept.push(line)
      continue
    }
    const indent = line.slice(0, line.indexOf('#'))
    while (lines[at]?.trim().startsWith('#[')) at++
    const item = lines[at] ?? ''
    const module = /^\s*(?:pub(?:\([a-z]+\))? )?mod (\w+);$/.exec(item)?.[1]
    if (module) modules.push(module)
    if (/[;}]$/.test(item)) continue
    while (at < lines.length && !new RegExp(`^${indent}[})]`).test(lines[at]!)) at++
  }
  return { kept, modules }
}
