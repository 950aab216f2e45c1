// Grafts a package into an empty store, says what it answers on the way, and takes it out again.
import { createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { inspectEngram, listGrafts, openEngram, openGraft, planGraft } from '../../../ts/engrams/index.ts'
import { Kernel, type Graph, type Reader, type Target } from '../../../ts/index.ts'
import { answersOf, digestsOf, type Asked } from '../questions.ts'

const [, , store = '', path = '', key = '', questions = ''] = process.argv
const asked = JSON.parse(readFileSync(questions, 'utf8')) as Asked & { readonly moments: readonly string[] }

function tell(step: string, said: unknown): void {
  process.stdout.write(`${JSON.stringify({ step, said })}\n`)
}

function answer(step: string, reader: Reader): void {
  tell(step, digestsOf(answersOf(reader, asked)))
}

const targets: readonly Target[] = [...asked.keys, ...asked.edges]

/** Who a graph says has written anything of what was asked for. */
function writersOf(graph: Pick<Graph, 'blame'>): string[] {
  const writers = targets.flatMap((target) =>
    [undefined, ...asked.names].map((name) => graph.blame(target, name)?.principal),
  )
  return [...new Set(writers)].filter((writer) => writer !== undefined)
}

async function run(): Promise<void> {
  const kernel = await Kernel.open(store)
  const { graph } = kernel
  const before = graph.digest()
  const keys = { teacher: createPublicKey(readFileSync(key)) }
  const { manifest, signatures, root } = inspectEngram(path, { keys, verify: 'full' })
  tell('inspect', { counts: manifest.counts, signatures, root })
  const engram = openEngram(path, { keys })
  answer('open', engram)
  const sources = targets.map((target) =>
    [undefined, ...asked.names].map((name) => {
      const source = engram.source(target, name)
      return source ? `${source.time.toISOString()} ${source.principal}` : null
    }),
  )
  tell('sources', sources)
  const plan = await planGraft(kernel, engram)
  tell('plan', { counts: plan.counts, digest: graph.digest() === before })
  const graft = await plan.graft()
  engram.close()
  answer('graft', graft.view)
  tell('grafted', { writers: writersOf(graft.view), principal: graft.principal, count: graph.count() })
  await graft.promote()
  answer('promote', graph)
  for (const moment of asked.moments) {
    using view = graph.validAt(moment)
    answer(moment, view)
  }
  tell('promoted', { writers: writersOf(graph), principal: graft.principal })
  await kernel.close()

  // What a process has promoted another one finds, and takes out again.
  const again = await Kernel.open(store)
  answer('again', again.graph)
  const [{ name } = { name: '' }] = await listGrafts(again)
  const { kept } = await openGraft(again, name).detach()
  tell('detached', { kept, digest: again.graph.digest() === before, forks: again.graph.forks() })
  await again.graph.verify()
  await again.close()
}

void run()
