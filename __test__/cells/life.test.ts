// A program ends by itself when nothing is open, and not before: each case is a program of its own.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const program = fileURLToPath(new URL('./fixtures/life.ts', import.meta.url))

function run(name: string): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--import=@oxc-node/core/register', program, name], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    child.stdout.on('data', (part: Buffer) => {
      output += part.toString()
    })
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, output }))
  })
}

const cases: [name: string, output: string, title: string][] = [
  ['idle', 'begun\n', 'cells that have nothing to do keep no program alive'],
  ['mailbox', 'begun\nhandled\n', 'a message that waits keeps the program alive'],
  ['turn', 'begun\nhandled\n', 'a turn that waits for something keeps the program alive'],
  ['ask', 'begun\nERR_KARYON_ASK_TIMEOUT\n', 'an ask keeps the program alive until it is settled'],
  ['timer', 'begun\nhandled\n', 'a timer keeps the program alive'],
  ['unreferenced', 'begun\n', 'a timer that is not referenced does not'],
  ['backoff', 'begun\nhandled\n', 'a message that waits for a restart keeps the program alive'],
]

for (const [name, output, title] of cases) {
  test(title, async (t) => {
    t.deepEqual(await run(name), { code: 0, output })
  })
}
