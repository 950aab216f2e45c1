import test from 'ava'
import { read } from './source.ts'

// Not a promise to users: a change here is a change of the seam between the two languages, and is read as one.
test('the declarations of the native boundary change only on purpose', (t) => {
  t.snapshot(read('ts/native/binding.d.cts').replaceAll('\r\n', '\n'))
})
