/** Comments and triple-quoted strings; an ordinary string is matched too, so that a `#` in it begins no comment. */
const NOT_CODE = /("""|''')[^]*?(?:\1|$)|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|#[^\n]*/g

const STATEMENT = /(?:^|[;:])[ \t]*(?:import[ \t]+([^\n;]+)|from[ \t]*([.\w]+)[ \t]*import\b)/gm

/** `import a.b as c, d` and `from .a import b`. */
export function* importsOfPython(text: string): Generator<string> {
  const code = text.replace(/\\\r?\n/g, ' ').replace(NOT_CODE, (found) => found.replace(/[^\n]+/g, '_'))
  for (const [, modules, source] of code.matchAll(STATEMENT)) {
    if (source !== undefined) yield source
    for (const module of (modules ?? '').split(',')) yield /^\s*([\w.]+)/.exec(module)?.[1] ?? ''
  }
}
