// Reads packages, node by node and edge by edge, and says of each how it was refused.
import { openEngram } from '../../../ts/engrams/index.ts'
import { KaryonError } from '../../../ts/index.ts'

for (const path of process.argv.slice(2)) {
  try {
    using engram = openEngram(path)
    engram.source('a')
    for (const { key } of engram.nodes()) engram.get(key)
    for (const edge of engram.edges()) engram.edge(edge)
    process.stdout.write('answered\n')
  } catch (error) {
    process.stdout.write(`${error instanceof KaryonError ? error.code : String(error)}\n`)
  }
}
