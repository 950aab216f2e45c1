// A graft that is opened: what is seen of it, and what becomes of it.
import { KaryonError } from '../../errors.ts'
import type { Fork } from '../../graph/types.ts'
import type { Kernel } from '../../kernel.ts'
import { checkedFilter, checkedKernel } from './arguments.ts'
import type { GraftRecord } from './decode-record.ts'
import { forkName } from './names.ts'
import { checkedOptions } from '../../graph/arguments.ts'
import { cellOf, inTheNameOf, oneAfterTheOther } from './principal.ts'
import { promoteFrom } from './promote.ts'
import { findAndClear, recordOf } from './record.ts'
import { graftError } from './refusals.ts'
import { takeBack } from './take-back.ts'
import { viewOf } from './view.ts'
import type { Detached, Graft, GraftInfo, Promoted, PromoteOptions, GraftView } from '../types.ts'

/** A graft of a kernel. */
export class OpenedGraft implements Graft {
  readonly name: string
  readonly root: string
  readonly principal: string
  readonly view: GraftView
  readonly #fork: Fork
  readonly #kernel: Kernel
  #closed = false

  constructor(kernel: Kernel, { info }: GraftRecord) {
    this.#kernel = kernel
    this.name = info.name
    this.root = info.root
    this.principal = info.principal
    this.#fork = kernel.graph.openFork(forkName(info.root, info.name))
    this.view = viewOf(this.#fork)
  }

  get info(): GraftInfo {
    return this.#record().info
  }

  #record(): GraftRecord {
    if (this.#closed) throw new KaryonError('ERR_KARYON_CLOSED', 'the graft is closed; open it again')
    return recordOf(this.#kernel.graph, this.name, this.root)
  }

  async promote(options: PromoteOptions = {}): Promise<Promoted> {
    const { nodes, edges } = checkedOptions(options, 'nodes', 'edges')
    const asked = { nodes: checkedFilter('nodes', nodes), edges: checkedFilter('edges', edges) }
    this.#record()
    return inTheNameOf(this.#kernel, cellOf(this.principal), (turn) =>
      promoteFrom(turn, this.#record(), asked),
    )
  }

  async detach(): Promise<Detached> {
    this.#record()
    return oneAfterTheOther(this.#kernel, cellOf(this.principal), () => this.#detach())
  }

  async #detach(): Promise<Detached> {
    const { promoted, principal, from } = this.#record().info
    const above = this.#fork.forks()
    if (above.length > 0) {
      const message = `the fork ${JSON.stringify(above[0]!.name)} stands on the graft; drop that first`
      throw graftError(message, { forks: above.map(({ name }) => name) })
    }
    const reverted = promoted ? await takeBack(this.#kernel, { principal, from }) : undefined
    await this.#fork.drop()
    this.#closed = true
    const { restored = 0, kept = [] } = reverted ?? {}
    return { restored, kept }
  }

  close(): void {
    this.#closed = true
    this.#fork.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/**
 * A graft that was made before, also by an earlier process.
 *
 * @throws ERR_KARYON_GRAFT if there is none of that name, or others have changed what it says of itself
 *
 * @example
 * await openGraft(kernel, 'acme/sky@1.4.0').promote({ nodes: (node) => node.labels.includes('Fact') })
 */
export function openGraft(kernel: Kernel, name: string): Graft {
  return new OpenedGraft(kernel, recordOf(checkedKernel(kernel).graph, name))
}

/**
 * What is grafted. What was left of grafts when the store was left in the middle of them is dropped. A graft of which others have changed what it says of
 * itself is left out: `openGraft` tells what is wrong with it. Cost: a look at each fork.
 */
export async function listGrafts(kernel: Kernel): Promise<readonly GraftInfo[]> {
  const { grafts } = await findAndClear(checkedKernel(kernel))
  return grafts.map(({ info }) => info)
}
