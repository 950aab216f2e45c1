// Definitions that leave their isolate: exports of a module, found by their name.
import { isDefinition, type CompiledCell, type SupervisorDefinition } from '../cells/definition.ts'
import { badArgument } from '../errors.ts'

const loaded = new Map<string, Readonly<Record<string, unknown>>>()

/** Loads a module, once for this isolate. */
export async function loadModule(module: string): Promise<Readonly<Record<string, unknown>>> {
  const known = loaded.get(module)
  if (known !== undefined) return known
  const exported = (await import(module)) as Readonly<Record<string, unknown>>
  loaded.set(module, exported)
  return exported
}

/** What a module that was loaded exports. */
export function loadedModule(module: string): Readonly<Record<string, unknown>> | undefined {
  return loaded.get(module)
}

/** The definition that a module exports under whatever name, found by its own. Throws where there is none. */
export function findDefinition(
  exported: Readonly<Record<string, unknown>>,
  module: string,
  kind: 'cell' | 'supervisor',
  name: string,
): CompiledCell | SupervisorDefinition {
  // A CommonJS module shows its exports as `default`.
  const inside = Object(exported['default']) as Readonly<Record<string, unknown>>
  for (const value of [...Object.values(exported), ...Object.values(inside)]) {
    if (isDefinition(value) && value.kind === kind && value.name === name)
      return value as CompiledCell | SupervisorDefinition
  }
  const message = `${module} exports no ${kind} of the name ${name}; a definition that leaves its isolate is a named export of its module`
  throw badArgument(message, { module, name })
}
