import { withoutComments } from './comments.ts'

/** `import "fmt"`, `import m "math"`, and the lines of `import ( … )`. */
export function* importsOfGo(text: string): Generator<string> {
  // A raw string may name a package too, but nobody does; blanked, it hides generated Go code.
  const code = withoutComments(text, { quotes: '"\'', longQuotes: '`', nested: false })
  for (const match of code.matchAll(/^[ \t]*import\b[ \t]*(?:\(([^)]*)\)|(?:[\w.]+[ \t]+)?"([^"\n]+)")/gm)) {
    if (match[2] !== undefined) yield match[2]
    for (const [, path] of (match[1] ?? '').matchAll(/"([^"\n]+)"/g)) yield path ?? ''
  }
}
