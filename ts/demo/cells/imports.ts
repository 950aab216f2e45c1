import { cell, message, type CellDefinition, type Message, type Transaction } from '../../index.ts'
import { BlobReader, type BlobText } from '../blobs.ts'
import { importsOf, type Language } from '../imports.ts'
import { blobKey, EDGE, LABEL, languageKey, moduleKey, readAsEdge } from '../model.ts'
import { READER_ACCIDENTS, type Strike } from '../saboteur.ts'

/** A blob and the language to read it in. */
export interface Reading {
  readonly object: string
  readonly language: Language
}

/** What a reader of imports understands: readings that are committed together; the reply is the number of imports found. */
export interface ImportsMessages {
  readonly read: Message<readonly Reading[], number>
}

/** Where a reader finds its blobs. */
export interface ImportsArgs {
  readonly name: string
  readonly repository: string
}

/** Reads blobs and writes what they import: keyed by content, so that writing it twice changes nothing. */
export function importReader(strike: Strike): CellDefinition<ImportsMessages, ImportsArgs> {
  return cell({
    name: 'imports',
    grants: { read: [], write: [LABEL.blob, LABEL.language, LABEL.module, EDGE.imports, EDGE.readAs] },
    messages: { read: message<readonly Reading[], number>() },
    init: ({ signal }, { name, repository }: ImportsArgs) => {
      const blobs = new BlobReader(repository)
      signal.addEventListener('abort', () => blobs[Symbol.dispose](), { once: true })
      return { blobs, name }
    },
    on: {
      async read(context, readings) {
        const { state } = context
        const blobs = await Promise.all(readings.map(({ object }) => state.blobs.read(object)))
        // Not before: what others write while git answers would be a conflict.
        const { tx } = context
        let found = 0
        for (const [at, blob] of blobs.entries()) {
          const reading = readings[at]
          if (reading === undefined) continue
          found += record(tx, reading, blob)
          if (at === readings.length >> 1) strike(state.name, READER_ACCIDENTS)
        }
        return found
      },
    },
  })
}

function record(tx: Transaction, { object, language }: Reading, blob: BlobText): number {
  const imports = 'text' in blob ? importsOf(language, blob.text) : []
  const skipped = 'text' in blob ? {} : { skipped: blob.skipped }
  tx.patch(blobKey(object), { labels: [LABEL.blob] })
  tx.patch(languageKey(language), { labels: [LABEL.language] })
  const { from, type, to } = readAsEdge(object, language)
  tx.link(from, type, to, { props: { imports: imports.length, ...skipped } })
  for (const specifier of imports) {
    tx.patch(moduleKey(specifier), { labels: [LABEL.module] })
    tx.link(from, EDGE.imports, moduleKey(specifier))
  }
  return imports.length
}
