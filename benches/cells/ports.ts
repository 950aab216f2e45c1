// A worker without Karyon: what a program would write by hand.
import { parentPort, workerData, type MessagePort } from 'node:worker_threads'
import type { Fields, Item } from './crew.ts'

/** What it does: adds up objects, or the words of transferred arrays; answers; or waits where it can be woken without an event loop. */
export interface PortsSeed {
  readonly role: 'sum' | 'echo' | 'wait'
  readonly port: MessagePort
  readonly words: SharedArrayBuffer
}

function serve({ role, port, words }: PortsSeed): void {
  if (role === 'echo') {
    port.on('message', (ball: unknown) => port.postMessage(ball))
    return
  }
  if (role === 'wait') {
    const [asked, answered] = [0, 1]
    const shared = new Int32Array(words)
    parentPort?.postMessage('up')
    for (let last = 0; last >= 0;) {
      while (Atomics.load(shared, asked) === last) Atomics.wait(shared, asked, last)
      last = Atomics.load(shared, asked)
      Atomics.store(shared, answered, last)
      Atomics.notify(shared, answered)
    }
    return
  }
  let sum = 0
  port.on('message', (what: Item | Fields | Uint32Array | 'sum') => {
    if (what === 'sum') {
      port.postMessage(sum)
      sum = 0
    } else if (what instanceof Uint32Array) {
      for (let at = 0; at < what.length; at++) sum += what[at] as number
    } else if ('n' in what) sum += what.n
    else sum += what.a + what.b + what.c + what.d
  })
}

serve(workerData as PortsSeed)
