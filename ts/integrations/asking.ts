// Questions about what the lines of a file name.
import type { Transaction } from '../index.ts'
import { located } from './failures.ts'

/**
 * Asks a transaction about many keys at once, each with the line that it comes from: where one is refused, its line is named.
 */
export function askAbout<T>(
  tx: Transaction,
  lineOfKey: ReadonlyMap<string, number>,
  ask: (keys: readonly string[]) => T,
): T {
  try {
    return ask([...lineOfKey.keys()])
  } catch (error) {
    for (const [key, line] of lineOfKey) askAboutOne(tx, key, line)
    throw error
  }
}

function askAboutOne(tx: Transaction, key: string, line: number): void {
  try {
    tx.get(key)
  } catch (error) {
    throw located(error, line)
  }
}
