import test from 'ava'
import { graftEngram } from '../../ts/engrams/grafts/graft.ts'
import { planGraft } from '../../ts/engrams/grafts/plan.ts'
import { Kernel } from '../../ts/index.ts'
import { chooseSeed, pick, type Random, seededRandom } from '../values/random.ts'
import { engramOf } from './fake-engram.ts'
import {
  differing,
  grafted,
  isNewer,
  modelOf,
  promoted,
  randomPolicies,
  type Rules,
  scribble,
  sourceOf,
} from './model.ts'

const ROUNDS = 40

async function rounds(
  t: { log(text: string): void },
  round: (random: Random, what: string) => Promise<void>,
): Promise<void> {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  for (let n = 0; n < ROUNDS; n++) await round(random, `KARYON_SEED=${seed}, round ${n}`)
}

async function hostAndPackage(random: Random) {
  const [kernel, other] = [Kernel.memory(), Kernel.memory()]
  for (const { graph } of [kernel, other]) {
    for (let n = 0; n < 2; n++) await scribble(random, graph)
  }
  const policies = randomPolicies(random)
  const rules: Rules = { policies, clashes: pick(random, ['skip', 'merge'] as const), newer: isNewer }
  return { kernel, engram: engramOf(other, { source: sourceOf }), rules }
}

test('a plan counts what a model counts and changes nothing; the view of a graft is the model’s, and the graph is as it was', async (t) => {
  await rounds(t, async (random, what) => {
    const { kernel, engram, rules } = await hostAndPackage(random)
    const { graph } = kernel
    const [digest, { head }, host] = [graph.digest(), graph.stats(), modelOf(graph)]
    const expected = grafted(host, modelOf(engram), rules)

    const plan = await planGraft(kernel, engram, { policies: rules.policies, samples: 10_000 })
    t.deepEqual(plan.counts, expected.counts, what)
    t.is(plan.clashes.count, expected.clashes, what)
    t.is(plan.conflicts.length, plan.counts.conflicting, what)
    t.deepEqual([graph.digest(), graph.stats().head, graph.forks()], [digest, head, []], what)

    const graft = await plan.graft({ clashes: rules.clashes })
    t.deepEqual(differing(modelOf(graft.view, `engram:${engram.root}`), expected.view), [], what)
    t.is(graph.digest(), digest, what)
    if (rules.clashes === 'merge') t.deepEqual(graft.info.counts, plan.counts, what)

    const { version } = await graft.promote()
    t.deepEqual(differing(modelOf(graph), expected.view), [], what)
    t.is((await graft.promote()).version, undefined, 'it is promoted')
    for (const { target } of plan.conflicts) t.true(graph.blame(target) !== undefined, what)
    t.is(version === undefined, graph.digest() === digest, what)
    const { kept } = await graft.detach()
    t.deepEqual([kept, graph.digest(), graph.forks()], [[], digest, []], what)
    await kernel.close()
  })
})

test('what is promoted after the graph has changed is the model’s, and taken out again it leaves the graph as it was changed', async (t) => {
  await rounds(t, async (random, what) => {
    const { kernel, engram, rules } = await hostAndPackage(random)
    const { graph } = kernel
    const before = modelOf(graph)
    const graft = await graftEngram(kernel, engram, { policies: rules.policies, clashes: rules.clashes })
    await scribble(random, graph, true)
    const [changed, digest] = [modelOf(graph), graph.digest()]
    const expected = promoted(before, modelOf(graft.view, `engram:${engram.root}`), changed, rules)
    await graft.promote()
    t.deepEqual(differing(modelOf(graph), expected), [], what)
    const { kept } = await graft.detach()
    t.deepEqual([kept, graph.digest()], [[], digest], what)
    await kernel.close()
  })
})
