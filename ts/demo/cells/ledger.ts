import { cell, message, type CellDefinition, type Message, type Transaction } from '../../index.ts'
import type { Change, Entry, GitCommit } from '../history.ts'
import {
  authorKey,
  blobKey,
  commitKey,
  EDGE,
  holdsEdge,
  LABEL,
  languageKey,
  pathKey,
  readAsEdge,
  sourceLanguage,
} from '../model.ts'
import { LEDGER_ACCIDENTS, type Strike } from '../saboteur.ts'

/** `early`: the commit before it on the line is not there, because its turn failed; nothing was written. */
export type LedgerReply = 'recorded' | 'already' | 'early'

/** What the ledger understands. */
export interface LedgerMessages {
  readonly commit: Message<GitCommit, LedgerReply>
}

/**
 * The one ordered cell: a git commit becomes one transaction. It keeps no state: what was committed before is what its
 * transaction reads, so a restart has nothing to bring back.
 *
 * The version that a commit got is not stored on its node: it depends on how the ledger's commits met those of the
 * readers, so no two runs would have the same digest. `graph.blame(commitKey(hash))` knows it.
 */
export function ledger(strike: Strike): CellDefinition<LedgerMessages> {
  return cell({
    name: 'ledger',
    grants: { read: [LABEL.commit, LABEL.sideCommit], write: WRITES },
    messages: { commit: message<GitCommit, LedgerReply>() },
    on: {
      commit({ tx }, commit) {
        if (tx.get(commitKey(commit.hash)) !== undefined) return 'already'
        const [previous] = commit.parents
        if (previous !== undefined && tx.get(commitKey(previous)) === undefined) return 'early'
        recordCommit(tx, commit)
        strike('ledger', LEDGER_ACCIDENTS)
        for (const change of commit.changes) recordChange(tx, commit, change)
        return 'recorded'
      },
    },
  })
}

const WRITES: readonly string[] = [
  ...[LABEL.author, LABEL.blob, LABEL.commit, LABEL.language, LABEL.path, LABEL.sideCommit],
  ...[EDGE.holds, EDGE.parent, EDGE.readAs, EDGE.renamedFrom, EDGE.writtenBy],
]

function recordCommit(
  tx: Transaction,
  { hash, parents, author, subject, committedAtSeconds }: GitCommit,
): void {
  const key = commitKey(hash)
  tx.put(key, {
    labels: [LABEL.commit],
    props: { subject, committedAt: new Date(committedAtSeconds * 1_000) },
  })
  tx.patch(authorKey(author), { labels: [LABEL.author] })
  tx.link(key, EDGE.writtenBy, authorKey(author))
  for (const [place, parent] of parents.entries()) {
    if (place > 0) tx.patch(commitKey(parent), { labels: [LABEL.sideCommit] })
    tx.link(key, EDGE.parent, commitKey(parent))
  }
}

function recordChange(tx: Transaction, commit: GitCommit, change: Change): void {
  const { path, before, after, renamedFrom, renamedEntry } = change
  if (before !== undefined && before.object !== after?.object) release(tx, path, before)
  if (after !== undefined) hold(tx, path, after)
  if (renamedFrom === undefined || renamedEntry === undefined) return
  release(tx, renamedFrom, renamedEntry)
  tx.link(pathKey(path), EDGE.renamedFrom, pathKey(renamedFrom), { key: commit.hash })
}

function hold(tx: Transaction, path: string, entry: Entry): void {
  tx.patch(pathKey(path), { labels: [LABEL.path] })
  tx.patch(blobKey(entry.object), { labels: [LABEL.blob] })
  const { from, type, to } = holdsEdge(path, entry)
  tx.link(from, type, to, { props: { mode: entry.mode } })
  const language = sourceLanguage(path, entry)
  if (language === undefined) return
  tx.patch(languageKey(language), { labels: [LABEL.language] })
  const read = readAsEdge(entry.object, language)
  tx.link(read.from, read.type, read.to)
}

function release(tx: Transaction, path: string, entry: Entry): void {
  const { from, type, to } = holdsEdge(path, entry)
  tx.unlink(from, type, to)
}
