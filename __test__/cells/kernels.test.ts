// Two kernels in one program: what belongs to one is nothing to the other.
import { KaryonError, Kernel } from '../../ts/index.ts'
import { both } from './threads/both.ts'
import { inlineCounter } from './threads/cells.ts'

both('a cell of another kernel is not mistaken for one of the own', async (t, { kernel, caller }) => {
  const other = Kernel.memory()
  const foreign = other.spawn(inlineCounter, { name: 'foreign' })
  // As many cells in both: a number stands for one in each.
  const innocent = kernel.spawn(inlineCounter, { name: 'innocent' })
  const ref = kernel.spawn(caller)
  const asks: [name: 'ask' | 'watch' | 'link', payload: unknown][] = [
    ['ask', { to: foreign.address, name: 'add', payload: 5 }],
    ['watch', { ref: foreign.address }],
    ['link', foreign],
  ]
  for (const [name, payload] of asks) {
    const error: unknown = await ref.ask(name, payload).catch((error: unknown) => error)
    let last = error
    while (last instanceof KaryonError && last.cause instanceof KaryonError) last = last.cause
    t.is((last as KaryonError).code, 'ERR_KARYON_ARGUMENT', name)
    t.regex((last as KaryonError).message, /another kernel/)
  }
  t.is(await innocent.ask('total'), 0)
  t.is(await foreign.ask('total'), 0)
  await other.close()
})
