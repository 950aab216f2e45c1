import { supervisor, type CellRef, type Kernel, type RestartSpec } from '../../index.ts'
import type { Strike } from '../saboteur.ts'
import { authorReader, type AuthorsMessages } from './authors.ts'
import { importReader, type ImportsMessages } from './imports.ts'
import { ledger, type LedgerMessages } from './ledger.ts'
import { looper } from './looper.ts'
import { sleeper } from './sleeper.ts'

/** Readers of imports that work side by side: enough to keep `git cat-file` busy while the others write. */
const IMPORT_READERS = 4

/** For those of whom many accidents are expected. */
const PATIENCE: RestartSpec = {
  intensity: 1_000,
  periodMs: 1_000,
  backoff: { initialMs: 1, factor: 1, maxMs: 1, jitter: 0 },
}

/** The same, at a pace that leaves most of a core to others. */
const LEISURE: RestartSpec = { ...PATIENCE, backoff: { initialMs: 100, factor: 1, maxMs: 100, jitter: 0 } }

/** The cells that do the work, supervised together. */
export interface Crew {
  readonly ledger: CellRef<LedgerMessages>
  readonly authors: CellRef<AuthorsMessages>
  readonly imports: readonly CellRef<ImportsMessages>[]
}

/** Starts the crew under a supervisor that expects accidents: many are planned, so its patience is large and its backoff short. */
export function startCrew(kernel: Kernel, repository: string, strike: Strike): Crew {
  const readers = Array.from({ length: IMPORT_READERS }, (_, at) => `imports-${at + 1}`)
  const [book, authors, imports] = [ledger(strike), authorReader(strike), importReader(strike)]
  const crew = kernel.spawn(
    supervisor({
      name: 'crew',
      strategy: 'one_for_one',
      restart: PATIENCE,
      children: [
        { name: 'ledger', cell: book },
        { name: 'authors', cell: authors },
        ...readers.map((name) => ({ name, cell: imports, args: { name, repository } })),
      ],
    }),
  )
  return {
    ledger: crew.child('ledger', book),
    authors: crew.child('authors', authors),
    imports: readers.map((name) => crew.child(name, imports)),
  }
}

/** Starts those who do no work and are ended for it: they must be in nobody's way. */
export function startIdlers(kernel: Kernel): void {
  kernel.spawn(supervisor({ name: 'idlers', restart: PATIENCE, children: [sleeper()] }))
  kernel.spawn(supervisor({ name: 'loopers', restart: LEISURE, children: [looper] }))
}
