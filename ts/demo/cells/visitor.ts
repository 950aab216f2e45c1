import { cell, message, type CellDefinition, type Message } from '../../index.ts'
import { commitKey, LABEL } from '../model.ts'

/** What a visitor understands: both are about the commit with this hash. */
export interface VisitorMessages {
  readonly look: Message<string, string>
  readonly tamper: Message<string, void>
}

/** May read commits and write nothing, and tries to. */
export function visitor(): CellDefinition<VisitorMessages> {
  return cell({
    name: 'visitor',
    grants: { read: [LABEL.commit] },
    messages: { look: message<string, string>(), tamper: message<string, void>() },
    on: {
      look: ({ tx }, hash) => String(tx.get(commitKey(hash))?.props['subject']),
      tamper: ({ tx }, hash) => tx.patch(commitKey(hash), { props: { subject: 'I was here' } }),
    },
  })
}
