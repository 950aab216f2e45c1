import test from 'ava'
import { FAILURES_IN_A_ROW_MAX, Pool, POOL_TASKS_MAX } from '../../ts/demo/pool.ts'

test('every task is done once, although hands fail', async (t) => {
  const done: number[] = []
  let calls = 0
  const hand = async (tasks: readonly number[]): Promise<void> => {
    if (++calls % 3 === 0) throw new Error('accident')
    done.push(...tasks)
  }
  const pool = new Pool([hand, hand], 4, () => true)
  for (let task = 0; task < 100; task++) await pool.add(task)
  await pool.drained()
  t.deepEqual(
    done.toSorted((a, b) => a - b),
    Array.from({ length: 100 }, (_, task) => task),
  )
})

test('failures without end are told to whoever waits, with their cause', async (t) => {
  let calls = 0
  const pool = new Pool<number>([() => Promise.reject(new Error(`no ${++calls}`))], 1, () => true)
  await pool.add(1)
  const error = await t.throwsAsync(() => pool.drained(), { message: /gave up/ })
  t.like(error, { cause: { message: `no ${FAILURES_IN_A_ROW_MAX + 1}` } })
  await t.throwsAsync(() => pool.add(2))
})

test('whoever adds more than fits waits until there is room', async (t) => {
  let open = (): void => {}
  const gate = new Promise<void>((resolve) => (open = resolve))
  const pool = new Pool<number>([() => gate], 1, () => true)
  for (let task = 0; task < POOL_TASKS_MAX; task++) await pool.add(task)
  let added = 0
  const more = [1, 2, 3].map((task) => pool.add(task).then(() => (added += 1)))
  t.true(added < 3)
  open()
  await Promise.all(more)
  await pool.drained()
  t.is(added, 3)
})

test('a failure that is no accident is not tried again', async (t) => {
  let calls = 0
  const hand = (): Promise<void> => Promise.reject(new TypeError(`defect ${++calls}`))
  const pool = new Pool<number>([hand], 1, (error) => !(error instanceof TypeError))
  await pool.add(1)
  await t.throwsAsync(() => pool.drained())
  t.is(calls, 1)
})
