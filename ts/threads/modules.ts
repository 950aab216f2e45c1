// Definitions that leave their isolate: exports of a module, found by their name.
import {
  declaredBy,
  isDefinition,
  type CompiledCell,
  type DefinitionKind,
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

export function isLoaded(module: string): boolean {
  return loaded.has(module)
}

/** The definition that a module exports under whatever name, found by its own, if the module is loaded and there is one. */
export function exportedBy(
  module: string,
  kind: DefinitionKind,
  name: string,
): CompiledCell | SupervisorDefinition | undefined {
  const exported = loaded.get(module)
  if (exported === undefined) return undefined
  // A CommonJS module shows its exports as `default`.
  const inside = Object(exported['default']) as Readonly<Record<string, unknown>>
  for (const value of [...Object.values(exported), ...Object.values(inside)]) {
    if (isDefinition(value) && value.kind === kind && value.name === name)
      return value as CompiledCell | SupervisorDefinition
  }
  return undefined
}

/** The same of a module that is loaded. Throws where there is none. */
export function findDefinition(
  module: string,
  kind: DefinitionKind,
  name: string,
): CompiledCell | SupervisorDefinition {
  const found = exportedBy(module, kind, name)
  if (found !== undefined) return found
  const message = `${module} exports no ${kind} of the name ${name}; a definition that leaves its isolate is a named export of its module`
  throw badArgument(message, { module, name })
}

/** The same of any module. One that is still being evaluated, a program's own perhaps, need not come to its end for it. */
export async function definitionOf(
  module: string,
  kind: DefinitionKind,
  name: string,
): Promise<CompiledCell | SupervisorDefinition> {
  const here = exportedBy(module, kind, name) ?? declaredBy(module, kind, name)
  if (here !== undefined) return here
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const message = `${module} was not loaded within ${LOADING_MAX_MS} ms; have it wait for nothing at its top level`
    timer = setTimeout(() => reject(badArgument(message, { module, name })), LOADING_MAX_MS)
  })
  await Promise.race([loadModule(module), late]).finally(() => clearTimeout(timer))
  return findDefinition(module, kind, name)
}
