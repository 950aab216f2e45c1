import type { Kernel, KernelOptions } from '../../ts/index.ts'
import { karyon } from '../karyon.ts'
import { reading, type Library, type Work } from './driver.ts'
import { finish } from './finish.ts'

/** What a cell's reference is to the players here. */
interface Player {
  send(message: 'ball', payload: { left: number }): boolean
}

/** The same, of a ring. */
interface Hopper {
  send(message: 'token', payload: { left: number }): boolean
}

/** Supervised cells with their default limits, under a kernel that keeps nothing on disk. */
export function karyonCells(name: string = 'karyon', options: KernelOptions = {}): Library & Work {
  let library: Awaited<ReturnType<typeof karyon>>
  let kernel: Kernel
  const fanIn = <Item>(
    senders: number,
    each: number,
    make: (value: number, sender: number) => Item,
    valueOf: (item: Item) => number,
  ): Promise<number> => {
    const { cell, message } = library
    const end = finish()
    const total = senders * each
    const sink = kernel.spawn(
      cell({
        name: 'sink',
        messages: { item: message<Item>() },
        init: () => ({ count: 0, sum: 0 }),
        limits: { mailbox: total },
        on: {
          item: ({ state }, item) => {
            state.sum += valueOf(item)
            if (++state.count === total) end.reach(state.sum)
          },
        },
      }),
    ) as unknown as { send(message: 'item', item: Item): boolean }
    const sender = cell({
      name: 'sender',
      messages: { go: message<number>() },
      on: {
        go: (_ctx, at) => {
          for (let value = 0; value < each; value++) sink.send('item', make(value, at))
        },
      },
    })
    for (let at = 0; at < senders; at++) kernel.spawn(sender).send('go', at)
    return end.reached
  }
  return {
    name,
    async open() {
      library = await karyon()
      kernel = library.Kernel.memory(options)
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
    ring(size, tokens, hops, begin) {
      const { cell, message } = library
      const end = finish()
      let open = tokens
      const players: Hopper[] = []
      const player = cell({
        name: 'player',
        messages: { token: message<{ left: number }>() },
        init: (_ctx, args: { next: number }) => args,
        on: {
          token: (ctx, { left }) => {
            if (left > 0) players[ctx.state.next]!.send('token', { left: left - 1 })
            else if (--open === 0) end.reach(tokens * hops)
          },
        },
      })
      for (let at = 0; at < size; at++) {
        players.push(kernel.spawn(player, { name: `player-${at}`, args: { next: (at + 1) % size } }))
      }
      begin()
      for (let at = 0; at < tokens; at++)
        players[Math.floor((at * size) / tokens)]!.send('token', { left: hops })
      return end.reached
    },
    fanIn: (senders, each) =>
      fanIn(
        senders,
        each,
        (value) => ({ value }),
        ({ value }) => value,
      ),
    fanInRecords: (senders, each) =>
      fanIn(
        senders,
        each,
        (value, at) => reading(at, value),
        ({ value }) => value,
      ),
    fanInNumbers: (senders, each) =>
      fanIn(
        senders,
        each,
        (value) => value,
        (value) => value,
      ),
    fanOut(receivers, each, begin) {
      const { cell, message } = library
      const end = finish()
      const total = receivers * each
      let got = 0
      const receiver = cell({
        name: 'receiver',
        messages: { item: message<{ value: number }>() },
        on: {
          item: () => {
            if (++got === total) end.reach(total)
          },
        },
      })
      const all = Array.from({ length: receivers }, (_, at) =>
        kernel.spawn(receiver, { name: `receiver-${at}` }),
      )
      const source = cell({
        name: 'source',
        messages: { go: message() },
        on: {
          go: () => {
            for (let value = 0; value < each; value++) for (const to of all) to.send('item', { value })
          },
        },
      })
      begin()
      kernel.spawn(source).send('go')
      return end.reached
    },
    role(role, handlers, mailbox) {
      const { cell, message } = library
      const names = Object.keys(handlers)
      const ref = kernel.spawn(
        cell({
          name: role,
          messages: Object.fromEntries(names.map((each) => [each, message<number, unknown>()])),
          limits: { mailbox },
          on: Object.fromEntries(
            names.map((each) => {
              const handler = handlers[each]!
              return [each, (_ctx: unknown, value: number): void => handler(value)]
            }),
          ),
        }),
      )
      return {
        send(each, value) {
          if (!ref.send(each, value)) throw new Error(`${role} refused ${each}`)
        },
      }
    },
    async clear() {
      await kernel.close()
      kernel = library.Kernel.memory(options)
    },
    close: () => kernel.close(),
  }
}
