// The crash matrix, inline. What a cell cannot survive in a shared isolate ends the program, never silently; an endless loop lasts, and is
// reported while it does: `watchdog.test.ts`. How a turn is stopped in place: `watchdog-stop.test.ts`.
import { endsProgram } from './program.ts'
import { sameInBothTiers } from './matrix.ts'

sameInBothTiers('inline')

endsProgram('inline', '`process.exit`', { code: 7, says: /^$/ })
endsProgram('inline', '`process.exit` after an await', { code: 7, says: /^$/ })
endsProgram('inline', 'an error that nobody catches', { code: 1, says: /Error: broken/ })
endsProgram('inline', 'an error that nobody catches in a microtask', { code: 1, says: /Error: broken/ })
endsProgram('inline', 'a rejection that nobody handles', { code: 1, says: /Error: broken/ })
endsProgram('inline', 'a heap that fills up little by little', { says: /heap out of memory/ })
endsProgram('inline', 'a heap that is exhausted at once', { says: /heap out of memory/ })
endsProgram('inline', 'a native fault', { signal: 'SIGSEGV', says: /^$/ })
endsProgram('inline', 'a native panic', { code: 1, says: /a defect in Karyon: .* please report it/ })
