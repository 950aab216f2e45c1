import type { Command } from '../ts/cli/arguments.ts'

/** The folder in which the demonstration is to run, for the words after `npm start --`. */
export declare function standingFor(
  words: readonly string[],
  folders: { readonly clone: string; readonly caller: string },
  parse: (words: readonly string[]) => Command,
): string
