import type { Change, Fact, Recount, Recounting, Versioned } from './driver.ts'

/** The versions of one fact, oldest first; as many numbers as facts. */
interface Versions {
  readonly numbers: number[]
  readonly facts: Fact[]
}

/** What is written without any library: a `Map` of keys to all the objects they have had. Nothing is on disk. */
export function mapStore(): Recounting & Versioned {
  let map = new Map<string, Versions>()
  let version = 0
  let before = 0
  const set = (key: string, fact: Fact): void => {
    const versions = map.get(key)
    version++
    if (versions === undefined) map.set(key, { numbers: [version], facts: [fact] })
    else {
      versions.numbers.push(version)
      versions.facts.push(fact)
    }
  }
  // The caller keeps its object and may change it, so the store has one of its own, as all others do.
  const apply = ([key, { count, score, text, sure }]: Change): void => set(key, { count, score, text, sure })
  const setCount = ([key, count]: Recount): void => set(key, { ...map.get(key)!.facts.at(-1)!, count })
  return {
    name: 'Map',
    open(folder) {
      if (folder !== undefined) throw new Error('a Map keeps nothing in a folder')
      map = new Map()
    },
    load: (changes) => changes.forEach(apply),
    write: apply,
    writeTogether: (changes) => changes.forEach(apply),
    writeCount: setCount,
    writeCountsTogether: (changes) => changes.forEach(setCount),
    read: (key) => map.get(key)?.facts.at(-1),
    loadVersions(changes) {
      before = version
      changes.forEach(apply)
    },
    readAt(key, moment) {
      const versions = map.get(key)
      return versions?.facts[versions.numbers.findLastIndex((number) => number <= before + moment)]
    },
    recount: (changes) => changes.forEach(setCount),
    close: () => map.clear(),
  }
}
