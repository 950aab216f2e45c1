import { cell, message, type CellDefinition, type Message } from '../../index.ts'
import type { EdgeIdentity, Target } from '../../index.ts'
import type { Author } from '../history.ts'
import { authorKey, commitKey, EDGE, LABEL, moduleKey } from '../model.ts'

/** How many false facts the poisoner writes, one transaction each. */
export const LIES = 500

/** Four ways to be wrong, one after the other about the same commit. */
const KINDS = ['altered', 'removed', 'ascribed', 'invented'] as const

/** Lies that are told of one commit. */
export const LIES_PER_COMMIT: number = KINDS.length

/** Where a lie is told: the commits and the blob are true, what is said about them is not. */
export interface Lie {
  readonly number: number
  readonly commit: string
  /** A commit that is no parent of `commit`. */
  readonly stranger: string
  /** Who wrote `commit`. */
  readonly author: Author
  /** The key of a blob, if the repository has one whose imports are read. */
  readonly blob: string | undefined
}

/** What the poisoner understands. */
export interface PoisonerMessages {
  readonly lie: Message<Lie, void>
}

const MALLORY = { name: 'Mallory', email: 'mallory@example.com' }

/** A cell with every right to write what it writes, and none of it true: only afterwards somebody finds out. */
export function poisoner(): CellDefinition<PoisonerMessages> {
  return cell({
    name: 'poisoner',
    grants: {
      read: [],
      write: [
        LABEL.author,
        LABEL.blob,
        LABEL.commit,
        LABEL.module,
        EDGE.imports,
        EDGE.parent,
        EDGE.writtenBy,
      ],
    },
    messages: { lie: message<Lie, void>() },
    on: {
      lie({ tx }, lie) {
        const commit = commitKey(lie.commit)
        switch (kindOf(lie)) {
          case 'altered':
            tx.patch(commit, { props: { subject: falseSubject(lie) } })
            break
          case 'removed':
            tx.unlink(commit, EDGE.writtenBy, authorKey(lie.author))
            break
          case 'ascribed':
            tx.patch(authorKey(MALLORY), { labels: [LABEL.author], props: MALLORY })
            tx.link(commit, EDGE.writtenBy, authorKey(MALLORY))
            break
          case 'invented': {
            const { from, type, to } = inventedEdge(lie)
            if (type === EDGE.imports) tx.patch(to, { labels: [LABEL.module] })
            tx.link(from, type, to)
          }
        }
      },
    },
  })
}

/** A value changed, a fact taken away, a fact ascribed to someone else, a fact made up. */
export function kindOf(lie: Lie): (typeof KINDS)[number] {
  return KINDS[lie.number % KINDS.length] ?? 'invented'
}

/** What a lie is about, for `graph.blame`. */
export function targetOf(lie: Lie): { target: Target; property?: string } {
  const from = commitKey(lie.commit)
  switch (kindOf(lie)) {
    case 'altered':
      return { target: from, property: 'subject' }
    case 'removed':
      return { target: { from, type: EDGE.writtenBy, to: authorKey(lie.author) } }
    case 'ascribed':
      return { target: { from, type: EDGE.writtenBy, to: authorKey(MALLORY) } }
    case 'invented':
      return { target: inventedEdge(lie) }
  }
}

/** What an altered commit claims to say. */
export function falseSubject(lie: Lie): string {
  return `Nothing to see here (${lie.number})`
}

function inventedEdge({ number, commit, stranger, blob }: Lie): EdgeIdentity {
  return blob === undefined
    ? { from: commitKey(commit), type: EDGE.parent, to: commitKey(stranger) }
    : { from: blob, type: EDGE.imports, to: moduleKey(`false/${number}`) }
}
