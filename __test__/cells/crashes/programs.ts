// Programs that one of their cells ends.
import { Kernel, cell, message } from '../../../ts/index.ts'

const kernel = Kernel.memory()
const victim = cell({
  name: 'victim',
  messages: { heap: message(), exit: message() },
  grants: { read: '*', write: '*' },
  on: {
    heap: () => {
      const kept: unknown[] = []
      for (;;) kept.push(Array.from({ length: 1_000 }, (_, n) => ({ n })))
    },
    exit: async (ctx) => {
      await ctx.graph.write((tx) => tx.put('a'))
      console.log('acknowledged')
      process.exit(7)
    },
  },
})
console.log('begun')
kernel.spawn(victim).send(process.argv[2] === 'heap' ? 'heap' : 'exit')
