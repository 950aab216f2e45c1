import type { Kernel } from '../../ts/index.ts'
import { karyon } from '../karyon.ts'
import type { Actors } from './driver.ts'
import { finish } from './finish.ts'

/** What a cell's reference is to the players here. */
interface Player {
  send(message: 'ball', payload: { left: number }): boolean
}

/** Supervised cells with their default limits, under a kernel that keeps nothing on disk. */
export function karyonCells(): Actors {
  let library: Awaited<ReturnType<typeof karyon>>
  let kernel: Kernel
  return {
    name: 'karyon',
    async open() {
      library = await karyon()
      kernel = library.Kernel.memory()
    },
    pingPong(turns) {
      const { cell, message } = library
      const end = finish()
      let handled = 0
      const player = (name: string, other: () => Player): Player =>
        kernel.spawn(
          cell({
            name,
            messages: { ball: message<{ left: number }>() },
            on: {
              ball: (_ctx, { left }) => {
                handled++
                if (left > 1) other().send('ball', { left: left - 1 })
                else end.reach(handled)
              },
            },
          }),
        )
      const ping: Player = player('ping', () => pong)
      const pong: Player = player('pong', () => ping)
      ping.send('ball', { left: turns })
      return end.reached
    },
    async spawn(count) {
      const { cell, message } = library
      const listener = cell({
        name: 'listener',
        messages: { hello: message<void, true>() },
        on: { hello: () => true as const },
      })
      let last = kernel.spawn(listener, { name: 'listener-0' })
      for (let at = 1; at < count; at++) last = kernel.spawn(listener, { name: `listener-${at}` })
      await last.ask('hello')
      return count
    },
    async clear() {
      await kernel.close()
      kernel = library.Kernel.memory()
    },
    close: () => kernel.close(),
  }
}
