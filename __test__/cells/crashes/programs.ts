// A program with cells in a tier, and a store in a directory, that one of them may end.
import { Reference } from '../../../ts/cells/ref.ts'
import { Kernel } from '../../../ts/index.ts'
import { inlineVictim, threadVictim } from './cells.ts'

const PATIENT = { timeoutMs: 60_000 }
const [, , tier, directory = '', what = ''] = process.argv
const kernel = await Kernel.open(directory)
const victim = kernel.spawn(tier === 'inline' ? inlineVictim : threadVictim)
await victim.ask('write', 'acknowledged', PATIENT)
console.log('acknowledged')
if (what === 'a native panic') {
  // What the scheduler finds impossible is a defect of Karyon's.
  Reference.cellOf(victim as never).runtime.scheduler.write(99, 0)
} else {
  await victim
    .ask('commit', { what }, PATIENT)
    .catch((error: { readonly code: string }) => console.log(error.code))
}
console.log(`incarnation ${await victim.ask('incarnation', undefined, PATIENT)}`)
await kernel.close()
