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
  /** Number of calls that are not settled: more than run, when the stack ended before a wrapper could settle its own. */
  unsettled: number
  cells: Float64Array
}

export const running: Running = {
  depth: 0,
  unsettled: 0,
  cells: new Float64Array(FIRST_CALLS * CELLS_PER_CALL),
}

/** What a call has thrown that its wrapper could not settle; `null`: it has returned. */
export type LeftEnd = { readonly thrown: unknown } | null

/**
 * By depth, how the calls ended that run no more and are not settled. `undefined`: the stack ended before even that could
 * be noted, so to its caller the call has failed by that.
 */
export const leftEnds: (LeftEnd | undefined)[] = []

/** By depth, whose calls run; `null` for code that runs as a part of a call, and for what has nothing left to settle. */
export const runningSites: (CallSite | null)[] = []

/** By depth, the asynchronous context to put back, and the one that was entered; valid for calls that carry one. */
const outer: (CallContext | undefined)[] = []
const entered: CallContext[] = []

/** Room for one more call. */
export function makeRoom(): void {
  const { cells } = running
  running.cells = new Float64Array(cells.length * 2)
  running.cells.set(cells)
}

/** Makes the call at `depth` the one that continuations inherit, in place of the context that was inherited itself. */
export function carry(depth: number, call: number, trace: number, inherited: CallContext | undefined): void {
  outer[depth] = inherited
  entered[depth] = { call, trace }
  enterContext(entered[depth])
  running.cells[depth * CELLS_PER_CALL + Cell.CARRIES] = 1
}

/** Undoes {@link carry}. */
export function putBack(depth: number): void {
  const cell = depth * CELLS_PER_CALL + Cell.CARRIES
  if (running.cells[cell] === 0) return
  enterContext(outer[depth])
  running.cells[cell] = 0
}

/**
 * The stack ended before {@link putBack} was done. What has inherited the context since then may be no part of the
 * call: it has no parent, rather than a wrong one.
 */
export function loseContext(depth: number): void {
  if (running.cells[depth * CELLS_PER_CALL + Cell.CARRIES] === 0) return
  entered[depth].call = 0
  entered[depth].trace = 0
  // On the very stack that has left it, unless that is empty by now.
  if (running.depth > 0) putBack(depth)
  running.cells[depth * CELLS_PER_CALL + Cell.CARRIES] = 0
}

/** Runs a piece of code as part of a call, wherever it is resumed. */
export function runAs<T>(call: number, trace: number, body: () => T): T {
  const { depth } = running
  // Above what waits to be settled, which a wrapper with more room on its stack will do.
  const at = running.unsettled
  const cell = at * CELLS_PER_CALL
  if (cell === running.cells.length) makeRoom()
  const { cells } = running
  cells[cell + Cell.CALL] = call
  cells[cell + Cell.TRACE] = trace
  cells[cell + Cell.MARK] = -1
  cells[cell + Cell.CARRIES] = 0
  runningSites[at] = null
  carry(at, call, trace, inheritedContext())
  running.depth = running.unsettled = at + 1
  try {
    return body()
  } finally {
    running.depth = depth
    try {
      putBack(at)
      if (running.unsettled === at + 1) running.unsettled = at
    } catch {
      // It waits among the unsettled.
    }
  }
}

/** The innermost call: on the stack, or else inherited. `call` 0 with a trace: directly below a remote caller. */
export function currentContext(): CallContext | null {
  const { depth, unsettled, cells } = running
  if (depth === 0) return unsettled === 0 ? (inheritedContext() ?? null) : null
  const cell = (depth - 1) * CELLS_PER_CALL
  return { call: cells[cell + Cell.CALL], trace: cells[cell + Cell.TRACE] }
}
