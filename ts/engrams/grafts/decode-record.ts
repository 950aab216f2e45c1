// What was kept of a graft, read as if anybody had written it.
import { badArgument } from '../../errors.ts'
import type { Version } from '../../time.ts'
import type { Properties, Value } from '../../values/types.ts'
import { checkedClashes, type Clashes } from './arguments.ts'
import { checkedIdentity, principalOf } from './names.ts'
import { Policies } from './policies.ts'
import { compareVersions } from './semantic-version.ts'
import type { GraftInfo } from '../types.ts'

/** What is kept of a graft. */
export interface GraftRecord {
  readonly info: GraftInfo
  readonly policies: Policies
  readonly clashes: Clashes
}

/** Reads the properties of a record. Throws `ERR_KARYON_ARGUMENT` for what no graft writes. */
export function decodeRecord(
  props: Properties,
  { root, name }: Pick<GraftInfo, 'root' | 'name'>,
  from: Version,
): GraftRecord {
  const engram = textOf(props, 'name')
  const engramVersion = textOf(props, 'version')
  checkedIdentity({ manifest: { name: engram, version: engramVersion }, root })
  compareVersions(engramVersion, engramVersion)
  const principal = principalOf(engram, engramVersion, root)
  if (props['principal'] !== principal) throw badArgument(`the principal is not ${principal}`)
  const { promoted, policies, clashes } = props
  if (typeof promoted !== 'boolean') throw badArgument('promoted is neither true nor false')
  if (!Array.isArray(policies)) throw badArgument('policies are no list')
  const counts = {
    added: countOf(props, 'added'),
    same: countOf(props, 'same'),
    conflicting: countOf(props, 'conflicting'),
  }
  return {
    info: { name, engram, engramVersion, root, principal, from, counts, promoted },
    policies: Policies.fromValue(policies as readonly Value[]),
    clashes: checkedClashes(clashes as Clashes),
  }
}

function textOf(props: Properties, name: string): string {
  const text = props[name]
  if (typeof text !== 'string') throw badArgument(`${name} is no text`)
  return text
}

function countOf(props: Properties, name: string): number {
  const count = props[name]
  if (typeof count === 'number' && Number.isSafeInteger(count) && count >= 0) return count
  throw badArgument(`${name} is no count`)
}
