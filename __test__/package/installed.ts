import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { ROOT } from '../house/source.ts'

/** A limit for a hung program, not for a slow machine. */
const PROGRAM_TIMEOUT_MS = 100_000

/** How a program ended, and what it printed. */
export interface Ended {
  readonly code: number | string
  readonly output: string
}

/** A new folder in which the built package is installed as it would be from the registry. */
export function folderWithPackage(): string {
  const folder = mkdtempSync(join(tmpdir(), 'karyon-package-'))
  const installed = join(folder, 'node_modules', 'karyon')
  mkdirSync(installed, { recursive: true })
  cpSync(join(ROOT, 'package.json'), join(installed, 'package.json'))
  cpSync(join(ROOT, 'dist'), join(installed, 'dist'), { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n')
  return folder
}

export function runNode(args: readonly string[], cwd: string): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { cwd, timeout: PROGRAM_TIMEOUT_MS, env: { ...process.env, NODE_OPTIONS: '' } }
    execFile(process.execPath, args, options, (error, stdout, stderr) =>
      resolve({ code: error ? (error.code ?? error.signal ?? 1) : 0, output: stdout + stderr }),
    )
  })
}

/** Checks a program as a strict TypeScript project would that uses the package, declarations included. */
export function typeCheck(file: string, cwd: string): Promise<Ended> {
  const manifest = createRequire(import.meta.url).resolve('typescript/package.json')
  const types = ['--typeRoots', join(ROOT, 'node_modules/@types'), '--types', 'node']
  const strict = ['--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--noEmit']
  const module = ['--module', 'nodenext', '--target', 'es2023', '--ignoreConfig']
  return runNode([join(dirname(manifest), 'bin/tsc'), ...strict, ...module, ...types, file], cwd)
}
