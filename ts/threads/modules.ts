// Definitions that leave their isolate: exports of a module, found by their name.
import {
  declaredBy,
  isDefinition,
  type CompiledCell,
  type DefinitionKind,
  type Isolation,
  type SupervisorDefinition,
} from '../cells/definition.ts'
import { badArgument } from '../errors.ts'

/** How long a module may take to load while a worker waits for it, in milliseconds. */
const LOADING_MAX_MS = 5_000

const loaded = new Map<string, Readonly<Record<string, unknown>>>()

/** Loads a module, once for this isolate. */
export async function loadModule(module: string): Promise<void> {
  if (!loaded.has(module)) loaded.set(module, (await import(module)) as Readonly<Record<string, unknown>>)
}

/** What tells a definition from the others of its module. */
export interface Sought {
  readonly kind: DefinitionKind
  readonly name: string
  readonly isolation?: Isolation | undefined
}

/** The definition that a module exports under whatever name, found by its own, if the module is loaded and there is one such. */
export function exportedBy(module: string, sought: Sought): CompiledCell | SupervisorDefinition | undefined {
  const [found, ...others] = candidates(module, sought)
  return others.length === 0 ? found : undefined
}

function candidates(
  module: string,
  { kind, name, isolation }: Sought,
): readonly (CompiledCell | SupervisorDefinition)[] {
  const exported = loaded.get(module) ?? {}
  // A CommonJS module shows its exports as `default`.
  const inside = Object(exported['default']) as Readonly<Record<string, unknown>>
  const found = new Set<CompiledCell | SupervisorDefinition>()
  for (const value of [...Object.values(exported), ...Object.values(inside)]) {
    if (!isDefinition(value) || value.kind !== kind || value.name !== name) continue
    const made = value as CompiledCell | SupervisorDefinition
    if (isolation === undefined || made.kind !== 'cell' || made.isolation === isolation) found.add(made)
  }
  // What it exports of other modules is theirs.
  const own = [...found].filter((made) => made.module === module)
  return own.length > 0 ? own : [...found]
}

/** The same of a module that is loaded. Throws where there is none, or more than one. */
export function findDefinition(module: string, sought: Sought): CompiledCell | SupervisorDefinition {
  const [found, ...others] = candidates(module, sought)
  if (found !== undefined && others.length === 0) return found
  const { kind, name } = sought
  const message =
    found === undefined
      ? `${module} exports no ${kind} of the name ${name}; a definition that leaves its isolate is a named export of its module`
      : `${module} exports ${others.length + 1} definitions of a ${kind} of the name ${name}; give each a name of its own`
  throw badArgument(message, { module, name })
}

/** The same of any module. One that is still being evaluated, a program's own perhaps, need not come to its end for it. */
export async function definitionOf(
  module: string,
  sought: Sought,
): Promise<CompiledCell | SupervisorDefinition> {
  const here = exportedBy(module, sought) ?? declaredBy(module, sought.kind, sought.name)
  if (here !== undefined) return here
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const message = `${module} was not loaded within ${LOADING_MAX_MS} ms; have it wait for nothing at its top level`
    timer = setTimeout(() => reject(badArgument(message, { module, name: sought.name })), LOADING_MAX_MS)
  })
  await Promise.race([loadModule(module), late]).finally(() => clearTimeout(timer))
  return findDefinition(module, sought)
}
