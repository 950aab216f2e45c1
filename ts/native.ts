// The addon, loaded once per isolate. Nobody else names the loader.
import * as binding from './native/binding.cjs'

/** The native functions. */
export const native: typeof binding = binding
