import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The root of the repository, from wherever this file was compiled to. */
export const ROOT: string = containing('Cargo.toml', import.meta.dirname)

function containing(name: string, folder: string): string {
  return existsSync(join(folder, name)) ? folder : containing(name, dirname(folder))
}
