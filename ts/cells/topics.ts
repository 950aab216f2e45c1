// Topics: one message to every cell that has subscribed. No lock and no queue of their own: each subscriber's mailbox is its bound.
import { badArgument } from '../errors.ts'
import { shielded } from '../shield.ts'
import type { Incarnation } from './cell.ts'
import { message, type InputArguments, type Message, type StandardSchema } from './definition.ts'
import { checkedName } from './failures.ts'
import type { CellRuntime } from './runtime.ts'
import { freezeSendable, isSendable } from './sendable.ts'

/** What is published under one name. Two topics of one name are the same. */
export interface Topic<Payload, Input = Payload> {
  readonly name: string
  /** What it carries, and its check. */
  readonly message: Message<Payload, void, Input>
}

/**
 * A topic: what cells publish for whoever has subscribed. With a validator, what is published is checked once, when it is published, and not by
 * the messages that it arrives as.
 *
 * @example
 * const prices = topic<{ symbol: string; cents: number }>('prices')
 */
export function topic<Payload>(name: string): Topic<Payload>
export function topic<Input, Output>(
  name: string,
  schema: StandardSchema<Input, Output>,
): Topic<Output, Input>
export function topic(name: string, schema?: StandardSchema): Topic<unknown> {
  return Object.freeze({
    name: checkedName(name, 'a topic'),
    message: schema === undefined ? message<unknown>() : message(schema),
  })
}

/** What is published, as arguments. */
export type Published<Input> = InputArguments<NoInfer<Input>>

/** A cell's wish to get what is published. It ends with the incarnation. */
export interface Subscription {
  /** Ends it; false if it was over already. */
  cancel(): boolean
}

/** Who has subscribed to what, in one kernel. */
export class Topics {
  readonly #runtime: CellRuntime
  readonly #subscribers = new Map<string, Set<{ readonly incarnation: Incarnation; readonly code: number }>>()

  constructor(runtime: CellRuntime) {
    this.#runtime = runtime
  }

  subscribe(incarnation: Incarnation, topic: Topic<unknown, unknown>, messageName: string): Subscription {
    const { name } = checkedTopic(topic)
    const code = this.#runtime.codeOf(incarnation.cell, messageName)
    const { outside } = this.#runtime
    if (outside !== undefined) return outside.subscribe(incarnation, name, messageName)
    const subscriber = { incarnation, code }
    const others = shielded(() => {
      let subscribers = this.#subscribers.get(name)
      if (subscribers === undefined) this.#subscribers.set(name, (subscribers = new Set()))
      return subscribers.add(subscriber)
    })
    const cancel = (): boolean => {
      incarnation.rare?.watches?.delete(cancel)
      const was = others.delete(subscriber)
      if (others.size === 0 && this.#subscribers.get(name) === others) this.#subscribers.delete(name)
      return was
    }
    incarnation.watch(cancel)
    return { cancel }
  }

  /** Sends to every subscriber; how many had room, and could be reached with it. */
  publish(topic: Topic<unknown, unknown>, payload: unknown, trace: string | undefined): number {
    const {
      name,
      message: { parse },
    } = checkedTopic(topic)
    const parsed = parse === undefined ? payload : parse(payload)
    if (this.#runtime.check && parsed !== undefined) freezeSendable(parsed, 'payload')
    const { outside } = this.#runtime
    if (outside !== undefined) return outside.publish(name, parsed, trace)
    let reached = 0
    let leaves = this.#runtime.check ? true : undefined
    for (const { incarnation, code } of this.#subscribers.get(name) ?? []) {
      const { cell } = incarnation
      const isHere = cell.definition?.isolation !== 'thread'
      if (!isHere && !(leaves ??= isSendable(parsed)))
        this.#runtime.turnAway(cell, code, 'not-sendable', trace)
      else if (this.#runtime.post(cell, code, parsed, trace)) reached++
    }
    return reached
  }
}

function checkedTopic(topic: Topic<unknown, unknown>): Topic<unknown, unknown> {
  if (typeof topic?.name === 'string' && typeof topic.message === 'object') return topic
  throw badArgument('a topic is what topic() made')
}
