import { readdirSync } from 'node:fs'
import type { Case } from './measure.ts'

/** What a file `ROOM.bench.ts` exports. */
interface Room {
  cases(): readonly Case[]
}

/** The rooms that are measured from TypeScript; it has been compiled by the time this runs. */
export function roomsInTypeScript(): string[] {
  return readdirSync(import.meta.dirname)
    .filter((file) => file.endsWith('.bench.js'))
    .map((file) => file.replace(/\.bench\.js$/, ''))
    .toSorted()
}

export async function casesOf(room: string): Promise<readonly Case[]> {
  const module = (await import(new URL(`${room}.bench.js`, import.meta.url).href)) as Room
  return module.cases()
}

/** Whether a case was asked for: by its room, by its name, or by the beginning of it. */
export function isWanted(name: string, asked: readonly string[]): boolean {
  return asked.length === 0 || asked.some((word) => name === word || name.startsWith(`${word}/`))
}
