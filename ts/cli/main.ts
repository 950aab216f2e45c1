#!/usr/bin/env node
// The command `karyon`.
import { readFile } from 'node:fs/promises'
import process from 'node:process'
import { GitError } from '../demo/git.ts'
import { demo } from '../demo/main.ts'
import { ArgumentsError, parseArguments, USAGE } from './arguments.ts'

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
  }
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
