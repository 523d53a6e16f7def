import type { CallSite } from './call-site.js'
import { type CallContext, enterContext, inheritedContext } from './context.js'

/**
 * The monitored calls that stand on this thread's stack, innermost last. What a wrapper has to remember while the
 * call runs is kept here as plain numbers instead of in locals: the wrapper's own frame stays small, so that a
 * monitored recursion goes nearly as deep as a bare one, and an unsampled call allocates nothing.
 *
 * At the start of a macrotask or microtask the stack is empty, so it is empty here too: a call found then has no
 * synchronous caller, and belongs to what it inherits asynchronously.
 */
export const Cell = {
  /** Milliseconds; `< 0`: the call is not timed. */
  START: 0,
  CALL: 1,
  TRACE: 2,
  /** 0 = none. */
  PARENT: 3,
  /** 0 = not sampled. */
  WEIGHT: 4,
  /** Where the captured arguments begin in the scratch space, -1 = they are not there. */
  MARK: 5,
  /** 1 = the call has entered the asynchronous context, and has to put it back. */
  CARRIES: 6,
} as const
export const CELLS_PER_CALL = 8
const FIRST_CALLS = 256

interface Running {
  /** Number of calls that run. */
  depth: number
  cells: Float64Array
}

export const running: Running = { depth: 0, cells: new Float64Array(FIRST_CALLS * CELLS_PER_CALL) }

/** By depth, whose calls run; `null` for code that runs as a part of a call. */
export const runningSites: (CallSite | null)[] = []

/** By depth, the asynchronous context to put back; only those of calls that carry one are valid. */
const contexts: (CallContext | undefined)[] = []

/** Room for one more call. */
export function makeRoom(): void {
  const { cells } = running
  running.cells = new Float64Array(cells.length * 2)
  running.cells.set(cells)
}

/** Makes the call at `depth` the one that continuations inherit. */
export function carry(depth: number, call: number, trace: number): void {
  contexts[depth] = inheritedContext()
  enterContext({ call, trace })
}

/** Undoes {@link carry}. */
export function putBack(depth: number): void {
  enterContext(contexts[depth])
}

/** Runs a piece of code as part of a call, wherever it is resumed. */
export function runAs<T>(call: number, trace: number, body: () => T): T {
  const at = running.depth
  const cell = at * CELLS_PER_CALL
  if (cell === running.cells.length) makeRoom()
  const { cells } = running
  cells[cell + Cell.CALL] = call
  cells[cell + Cell.TRACE] = trace
  cells[cell + Cell.MARK] = -1
  cells[cell + Cell.CARRIES] = 1
  runningSites[at] = null
  carry(at, call, trace)
  running.depth = at + 1
  try {
    return body()
  } finally {
    running.depth = at
    putBack(at)
  }
}

/** The innermost call: on the stack, or else inherited. `call` 0 with a trace: directly below a remote caller. */
export function currentContext(): CallContext | null {
  const { depth, cells } = running
  if (depth === 0) return inheritedContext() ?? null
  const cell = (depth - 1) * CELLS_PER_CALL
  return { call: cells[cell + Cell.CALL], trace: cells[cell + Cell.TRACE] }
}
