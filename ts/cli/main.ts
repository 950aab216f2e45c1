#!/usr/bin/env node
// The command `karyon`.
import { readFile } from 'node:fs/promises'
import process from 'node:process'
import { GitError } from '../demo/git.ts'
import { demo } from '../demo/main.ts'
import { KaryonError } from '../index.ts'
import { ArgumentsError, parseArguments, type StoreCommand, USAGE } from './arguments.ts'
import { runOnStore } from './store.ts'

/** The conventional exit codes. */
const EXIT = { held: 0, failed: 1, usage: 2, interrupted: 130 } as const

async function main(words: readonly string[]): Promise<number> {
  const command = parseArguments(words)
  switch (command.name) {
    case 'help':
      process.stdout.write(USAGE)
      return EXIT.held
    case 'version':
      process.stdout.write(`${await version()}\n`)
      return EXIT.held
    case 'demo': {
      const interruption = new AbortController()
      for (const signal of ['SIGINT', 'SIGTERM'] as const)
        process.once(signal, () => interruption.abort(new Interrupted()))
      const held = await demo({
        ...command.options,
        output: process.stdout,
        progress: process.stderr,
        colour: process.stdout.isTTY && process.env['NO_COLOR'] === undefined,
        signal: interruption.signal,
      })
      return held ? EXIT.held : EXIT.failed
    }
    case 'store':
      return onStore(command.command)
  }
}

async function onStore(command: StoreCommand): Promise<number> {
  try {
    const { document, text, held } = await runOnStore(command)
    process.stdout.write(command.json ? jsonOf(document) : `${text}\n`)
    return held ? EXIT.held : EXIT.failed
  } catch (error) {
    if (!(error instanceof KaryonError)) throw error
    const { code, message, details } = error
    if (command.json) process.stdout.write(jsonOf({ error: { code, message, details } }))
    else process.stderr.write(`karyon: ${message} (${code})\n`)
    return EXIT.failed
  }
}

/** Versions are numbers here: they are below 2^53. */
function jsonOf(document: object): string {
  const plain = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? Number(value) : value)
  return `${JSON.stringify(document, plain, 2)}\n`
}

/** Somebody pressed Ctrl-C. */
class Interrupted extends Error {}

async function version(): Promise<string> {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8')
  return String((JSON.parse(text) as { version?: unknown }).version)
}

/** What went wrong, in as few words as its kind allows, and the exit code for it. */
function complain(error: unknown): number {
  if (error instanceof Interrupted) return EXIT.interrupted
  if (error instanceof ArgumentsError) {
    process.stderr.write(`karyon: ${error.message}\n\n${USAGE}`)
    return EXIT.usage
  }
  if (error instanceof GitError) {
    process.stderr.write(`karyon: ${error.message} (${error.code})\n`)
    return error.code === 'ERR_DEMO_PATH' ? EXIT.usage : EXIT.failed
  }
  process.stderr.write(`karyon: ${error instanceof Error ? error.stack : String(error)}\n`)
  return EXIT.failed
}

async function run(): Promise<void> {
  try {
    process.exitCode = await main(process.argv.slice(2))
  } catch (error) {
    process.exitCode = complain(error)
  }
}

void run()
