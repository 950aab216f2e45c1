import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ROOT } from '../project.ts'
import type { Side, Taken } from '../measure.ts'

/** What `otp.erl` calls its work. */
type OtpCase = 'ping_pong' | 'spawn_bare' | 'spawn_supervised' | 'ring' | 'fan_in'

const SOURCE = join(ROOT, 'benches/cells/otp.erl')
/** One scheduler, as we have one thread; room for a million processes. */
const FLAGS = ['+S', '1:1', '+P', '2000000', '-noshell']

let found: string | undefined

/** The release of Erlang/OTP that is installed with its compiler; '' where there is none. */
function release(): string {
  found ??=
    spawnSync('erlc', ['-help'], { stdio: 'ignore' }).error === undefined
      ? (spawnSync(
          'erl',
          ['-noshell', '-eval', 'io:format("~s", [erlang:system_info(otp_release)]), halt().'],
          {
            encoding: 'utf8',
          },
        ).stdout ?? '')
      : ''
  return found
}

/** Says how Erlang took part, or that it did not. */
export function otpNote(): string {
  return release() === ''
    ? 'Erlang/OTP is not installed here and left out'
    : 'Erlang on 1 scheduler in a process of its own, timed inside it, the second time over'
}

/** The work in a BEAM of its own for each round, which measures itself; nobody where it is not installed. */
export function otp(work: OtpCase, numbers: readonly number[], how = 'bare processes'): readonly Side[] {
  if (release() === '') return []
  let folder = ''
  let result: Taken & { readonly answer: number }
  return [
    {
      name: `Erlang/OTP ${release()}, ${how}`,
      start() {
        folder = mkdtempSync(join(tmpdir(), 'karyon-otp-'))
        execFileSync('erlc', ['-o', folder, SOURCE])
      },
      async run() {
        const given = ['-pa', folder, '-run', 'otp', 'main', work, ...numbers.map(String)]
        const { stdout } = await promisify(execFile)('erl', [...FLAGS, ...given])
        result = JSON.parse(stdout) as typeof result
      },
      took: () => result,
      answer: () => result.answer,
      stop: () => rmSync(folder, { recursive: true }),
    },
  ]
}
