import { cell, message, type CellDefinition, type Message } from '../../index.ts'
import type { Author } from '../history.ts'
import { authorKey, EDGE, LABEL, personKey } from '../model.ts'
import { READER_ACCIDENTS, type Strike } from '../saboteur.ts'

/** What the reader of authors understands. */
export interface AuthorsMessages {
  readonly meet: Message<readonly Author[], void>
}

/** Writes who an author is, and which names belong to one address. */
export function authorReader(strike: Strike): CellDefinition<AuthorsMessages> {
  return cell({
    name: 'authors',
    grants: { read: [], write: [LABEL.author, LABEL.person, EDGE.is] },
    messages: { meet: message<readonly Author[], void>() },
    on: {
      meet({ tx }, authors) {
        for (const [at, author] of authors.entries()) {
          const { name, email } = author
          tx.patch(authorKey(author), { labels: [LABEL.author], props: { name, email } })
          if (at === authors.length >> 1) strike('authors', READER_ACCIDENTS)
          tx.patch(personKey(author), { labels: [LABEL.person] })
          tx.link(authorKey(author), EDGE.is, personKey(author))
        }
      },
    },
  })
}
