// Trace contexts: text that travels with a message, and with all that comes of it, for whoever puts the pieces together.
import { badArgument } from '../errors.ts'

/** The longest trace context, in UTF-16 units: a `traceparent` of the W3C has 55, a `tracestate` with it 512 more. */
export const TRACE_CONTEXT_MAX = 1_024

/** For an event: the trace context of its message, if it has one. */
export function withTrace(trace: string | undefined): { readonly trace?: string } {
  return trace === undefined ? {} : { trace }
}

/** A trace context, or an error. */
export function checkedTrace(trace: string | undefined): string | undefined {
  if (trace === undefined || (typeof trace === 'string' && trace.length <= TRACE_CONTEXT_MAX)) return trace
  throw badArgument(`a trace context is text of at most ${TRACE_CONTEXT_MAX} characters, or undefined`)
}
