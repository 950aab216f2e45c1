import { checked } from '../../ts/errors.ts'
import { Connection } from '../../ts/graph/connection.ts'
import { type Grants, NativeSession, type Session } from '../../ts/graph/session.ts'
import type { KaryonError } from '../../ts/index.ts'
import { native } from '../../ts/native.ts'

/** Several principals on one store that keeps nothing, and what they were refused. */
export class Principals {
  readonly connection: Connection = new Connection(checked(native.memoryStore(0)), 'memory')
  readonly refusals: KaryonError[] = []

  /** Everything is granted unless something else is said. */
  session(name: string, grants: Grants = { read: '*', write: '*' }, incarnation = 1): Session {
    return new NativeSession(this.connection, name, incarnation, grants, (error) => this.refusals.push(error))
  }
}
