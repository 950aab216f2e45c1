// A program with idle workers that exits: says when, and is measured from outside.
import { writeSync } from 'node:fs'
import { karyon } from '../karyon.ts'
import { receiver } from './crew.ts'

const { Kernel } = await karyon()
const count = Number(process.argv[2])
const kernel = Kernel.memory({ workers: { count, spare: false } })
const cells = Array.from({ length: count }, (_, at) => kernel.spawn(receiver, { name: `cell-${at}` }))
for (const cell of cells) await cell.ask('sum', undefined, { timeoutMs: 60_000 })
writeSync(1, 'now\n')
process.exit(3)
