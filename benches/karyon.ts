import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type * as Karyon from '../ts/index.ts'
import { ROOT } from './project.ts'

let loaded: Promise<typeof Karyon> | undefined

/** The package as it ships, compiled, with its release addon; the types come from its sources. */
export function karyon(): Promise<typeof Karyon> {
  loaded ??= import(pathToFileURL(join(ROOT, 'dist/index.js')).href) as Promise<typeof Karyon>
  return loaded
}
