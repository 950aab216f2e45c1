import test from 'ava'
import { join } from 'node:path'
import { exportEngram, graftEngram, openEngram } from '../../ts/engrams/index.ts'
import { Kernel } from '../../ts/index.ts'
import { freshDirectory } from '../kernel/directory.ts'
import { below, chooseSeed, seededRandom } from '../values/random.ts'
import { MOMENTS, heldAt, randomKnowledge, teach } from './knowledge.ts'
import { answersOf, askedOf, expected, wrongIn } from './questions.ts'

const ROUNDS = 4

test('a graph, its package, the package of that, a grafted view and a graph with what was promoted answer as a plain model does', async (t) => {
  const seed = chooseSeed()
  t.log(`KARYON_SEED=${seed}`)
  const random = seededRandom(seed)
  const directory = freshDirectory(t)
  for (let round = 0; round < ROUNDS; round++) {
    const what = `KARYON_SEED=${seed}, round ${round}`
    const knowledge = randomKnowledge(random, 8 + below(random, 16))
    const asked = askedOf(knowledge)
    const right = expected(knowledge, asked)
    const [teacher, pupil] = [Kernel.memory(), Kernel.memory()]
    await teach(teacher.graph, knowledge)
    const paths = ['a', 'b'].map((name) => join(directory, `${round}-${name}.engram`)) as [string, string]
    await exportEngram(teacher.graph, paths[0], { name: 'world', version: '1.0.0' })
    using engram = openEngram(paths[0])
    await exportEngram(engram, paths[1], { name: 'world', version: '1.0.0' })
    using again = openEngram(paths[1])
    const before = pupil.graph.digest()
    const graft = await graftEngram(pupil, engram)

    for (const [name, reader] of Object.entries({ graph: teacher.graph, package: engram, again })) {
      t.deepEqual(wrongIn(answersOf(reader, asked), right), [], `${what}, ${name}`)
    }
    // Beside what was packed a graft has a node that says so.
    const record = graft.view.get(`engram:${engram.root}`)!
    t.deepEqual(record.labels, ['Engram'])
    const grafted = { ...knowledge, nodes: new Map([...knowledge.nodes, [record.key, record]]) }
    t.deepEqual(wrongIn(answersOf(graft.view, asked), expected(grafted, asked)), [], `${what}, grafted`)
    t.is(pupil.graph.count(), 0)
    await graft.promote()
    t.deepEqual(wrongIn(answersOf(pupil.graph, asked), right), [], `${what}, promoted`)
    for (const moment of MOMENTS) {
      const then = expected(heldAt(knowledge, moment), asked)
      for (const { graph } of [teacher, pupil]) {
        using view = graph.validAt(moment)
        t.deepEqual(wrongIn(answersOf(view, asked), then), [], `${what}, at ${moment}`)
      }
    }
    await graft.detach()
    t.is(pupil.graph.digest(), before, what)
    await teacher.close()
    await pupil.close()
  }
})

test('a question that is answered otherwise is found', async (t) => {
  const knowledge = randomKnowledge(seededRandom(1), 12)
  const asked = askedOf(knowledge)
  const { graph } = Kernel.memory()
  await teach(graph, knowledge)
  const right = expected(knowledge, asked)
  t.deepEqual(wrongIn(answersOf(graph, asked), right), [])
  const [{ from, type, to, key }] = knowledge.edges as [(typeof knowledge.edges)[0]]
  await graph.write((tx) => tx.patch({ from, type, to, key }, { props: { n: -0 } }))
  const wrong = wrongIn(answersOf(graph, asked), right)
  t.true(wrong.includes(`out ${from}`) && wrong.includes(`in ${to} ${type}`))
  t.false(wrong.some((question) => question.startsWith('get')))
  const past = heldAt(knowledge, MOMENTS[0]!)
  t.true(wrongIn(expected(past, asked), right).length > 0, 'not everything holds always')
})
