// Semantic versions (semver.org, 2.0.0): which of two is older.
import { badArgument } from '../../errors.ts'

const VERSION = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/
/** Characters of a version. Numbers in it are compared as text, so that nothing of it is too large. */
const LENGTH_MAX = 128

type Precedence = readonly (readonly string[])[]

/**
 * Which of two versions is older: below 0 the first, above 0 the second; 0 where neither is, as those that differ in what they were built of.
 *
 * @throws ERR_KARYON_ARGUMENT for what is no semantic version
 */
export function compareVersions(a: string, b: string): number {
  const [[release, prerelease], [otherRelease, otherPrerelease]] = [parse(a), parse(b)] as const
  const released = compareLists(release!, otherRelease!)
  if (released !== 0) return released
  // A version comes after all of its prereleases.
  if (prerelease!.length === 0 || otherPrerelease!.length === 0)
    return otherPrerelease!.length - prerelease!.length
  return compareLists(prerelease!, otherPrerelease!)
}

function parse(version: string): Precedence {
  const found = typeof version === 'string' && version.length <= LENGTH_MAX ? VERSION.exec(version) : null
  if (!found || found[4]?.split('.').some((part) => part === '' || /^0\d+$/.test(part))) {
    const given = typeof version === 'string' ? JSON.stringify(version.slice(0, LENGTH_MAX)) : typeof version
    throw badArgument(`a version is a semantic one of at most ${LENGTH_MAX} characters, 1.4.0, not ${given}`)
  }
  return [found.slice(1, 4), found[4]?.split('.') ?? []]
}

function compareLists(one: readonly string[], other: readonly string[]): number {
  for (let at = 0; at < Math.min(one.length, other.length); at++) {
    const compared = comparePart(one[at]!, other[at]!)
    if (compared !== 0) return compared
  }
  return one.length - other.length
}

function comparePart(one: string, other: string): number {
  const [number, otherNumber] = [/^\d+$/.test(one), /^\d+$/.test(other)]
  // Numbers come before text; of two, the one with more digits is the larger.
  if (number !== otherNumber) return number ? -1 : 1
  if (number && one.length !== other.length) return one.length - other.length
  return one === other ? 0 : one < other ? -1 : 1
}
