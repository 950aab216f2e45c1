// What is done about conflicts: whose value counts where host and package hold different ones.
import { badArgument } from '../../errors.ts'
import { checkReserved } from '../../values/keys.ts'
import type { Value } from '../../values/types.ts'
import { identityOf, isStorable, sameTimes, sameValue } from './same.ts'
import type { ConflictPolicies, ConflictPolicy, Timed } from '../types.ts'

const POLICIES: readonly string[] = [
  'keep-host',
  'take-package',
  'newest-valid',
  'keep-both',
  'reject',
] satisfies ConflictPolicy[]

/** What a property holds: one value always, or what it holds when; of an edge itself, when it holds. Neither where it is not there. */
export interface Held {
  readonly value?: Value
  readonly times?: readonly Timed[] | undefined
}

/** Whether two hold the same. */
export function sameHeld(one: Held | undefined, other: Held | undefined): boolean {
  if (one?.value === undefined || other?.value === undefined)
    return one?.value === other?.value && sameTimes(one?.times, other?.times)
  return sameValue(one.value, other.value)
}

/** What is done about conflicts, by property: whoever grafts goes before the package. */
export class Policies {
  readonly #by: readonly ReadonlyMap<string, ConflictPolicy>[]

  /** Of what is said by the first, or else by the next. */
  constructor(...said: readonly (ConflictPolicies | undefined)[]) {
    this.#by = said.map((policies) => new Map(Object.entries(checkedPolicies(policies))))
  }

  /** The policy of a property; without one, of edges that hold at other times. */
  of(property: string | undefined): ConflictPolicy {
    for (const by of this.#by) {
      const policy = (property === undefined ? undefined : by.get(property)) ?? by.get('*')
      if (policy !== undefined) return policy
    }
    return 'keep-host'
  }

  /** The same, as data. */
  toValue(): Readonly<Record<string, string>>[] {
    return this.#by.map((by) => Object.fromEntries(by))
  }

  /** Policies that were kept as data. */
  static fromValue(kept: readonly Value[]): Policies {
    return new Policies(...(kept as unknown as readonly ConflictPolicies[]))
  }
}

function checkedPolicies(policies: ConflictPolicies = {}): ConflictPolicies {
  if (typeof policies !== 'object' || policies === null || Array.isArray(policies))
    throw badArgument('policies are an object, of a policy by property')
  for (const [property, policy] of Object.entries(policies)) {
    checkReserved(property)
    if (POLICIES.includes(policy)) continue
    const message = `the policy of ${JSON.stringify(property)} is one of ${POLICIES.join(', ')}`
    throw badArgument(message, { property })
  }
  return policies
}

/**
 * What is held where host and package hold different things. `newer` is asked whether the package's is the newer one. Undefined for what is
 * rejected.
 */
export function resolve(
  policy: ConflictPolicy,
  host: Held,
  other: Held,
  newer: () => boolean,
): Held | undefined {
  switch (policy) {
    case 'keep-host':
      return host
    case 'take-package':
      return other
    case 'newest-valid':
      return newer() ? other : host
    case 'keep-both':
      return host.value === undefined || other.value === undefined
        ? host
        : bothOf(host, host.value, other.value)
    case 'reject':
      return undefined
  }
}

/** What of that which a graft holds is the package's: where both are kept, what came to what was there. */
export function ownOf(policy: ConflictPolicy, was: Held | undefined, is: Held): Held {
  if (policy !== 'keep-both' || was?.value === undefined || is.value === undefined) return is
  const before = new Set(itemsOf(was.value).map(identityOf))
  return { value: itemsOf(is.value).filter((value) => !before.has(identityOf(value))) }
}

/** Both as a list without doubles, the host's first; where one already is a list, what is in it. The host's itself where nothing comes to it, and where no property holds both. */
function bothOf(host: Held, one: Value, other: Value): Held {
  const all = new Map(itemsOf(one).map((value) => [identityOf(value), value]))
  const before = all.size
  for (const value of itemsOf(other)) {
    const identity = identityOf(value)
    if (!all.has(identity)) all.set(identity, value)
  }
  const both = [...all.values()]
  return all.size === before || !isStorable(both) ? host : { value: both }
}

function itemsOf(value: Value): readonly Value[] {
  return Array.isArray(value) ? (value as readonly Value[]) : [value]
}
