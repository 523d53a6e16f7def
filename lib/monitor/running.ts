import { CELLS_PER_CALL, OpenCell as Cell, LaneI32, OPEN_STACK_CALLS, openCallsAt } from '../queue/layout.js'
import type { CallSite } from './call-site.js'
import {
  type CallContext,
  entersContext,
  followResources,
  inheritedContext,
  scopeId,
  storage,
} from './context.js'

/**
 * The monitored calls that stand on this thread's stack, innermost last. What a wrapper has to remember while the
 * call runs is kept here as plain numbers instead of in locals: the wrapper's own frame stays small, so that a
 * monitored recursion goes nearly as deep as a bare one, and an unsampled call allocates nothing.
 *
 * At the start of a macrotask or microtask the stack is empty, so it is empty here too: a call found then has no
 * synchronous caller, and belongs to what it inherits asynchronously.
 *
 * While recording is on, these numbers stand in the memory shared with the writer, which so knows of a call that never
 * ends. `Cell` says which they are.
 */
export { CELLS_PER_CALL, OpenCell as Cell } from '../queue/layout.js'

const FIRST_CALLS = 256

interface Running {
  /** One word: the number of calls that run. */
  depth: Int32Array
  /** Number of calls that are not settled: more than run, when the stack ended before a wrapper could settle its own. */
  unsettled: number
  cells: Float64Array
}

export const running: Running = {
  depth: new Int32Array(1),
  unsettled: 0,
  cells: new Float64Array(FIRST_CALLS * CELLS_PER_CALL),
}

/** How a call carries its context. */
export const Carries = {
  not: 0,
  /** {@link putBack} must be called when it has ended. */
  entered: 1,
  /** Resources find the call among those that run. */
  found: 2,
} as const

// What a module exports is read anew at each use; what stands in a constant of its own is a part of the compiled code.
const calls = running
const CELLS = CELLS_PER_CALL
const { CARRIES, CALL, TRACE } = Cell
const NOT = Carries.not
const ENTERED = Carries.entered
const FOUND = Carries.found
const ENTERS = entersContext

/** How a call has ended that its wrapper could not settle: it has thrown what is in {@link leftThrown}; `null`: returned. */
export type LeftEnd = typeof THREW | null
export const THREW = 1

/**
 * By depth, how the calls ended that run no more and are not settled. `undefined`: the stack ended before even that could
 * be noted, so to its caller the call has failed by that.
 */
export const leftEnds: (LeftEnd | undefined)[] = []
export const leftThrown: unknown[] = []

/** By depth, whose calls run; `null` for code that runs as a part of a call, and for what has nothing left to settle. */
export const runningSites: (CallSite | null)[] = []

/** By depth, the asynchronous context to put back, and the one that was entered; valid for calls that carry one. */
const outer: (CallContext | undefined)[] = []
const entered: CallContext[] = []

/** By depth, the next call further out that carries; {@link NOWHERE}: there is none. May list calls that have ended. */
const carriesBelow: number[] = []
/** By depth, the asynchronous scope in which the call began. */
const scopes: number[] = []
export const NOWHERE = -1
let innermost = NOWHERE
/** Depth of the call whose derived promise is being made, which runs no more; set back by a plain store. */
export const deriving = { at: NOWHERE }

/** The part of the lane memory that holds the running calls, `null` before recording has begun. */
let shared: { readonly cells: Float64Array; readonly isPrivate: Int32Array } | null = null

/** Recording begins: from now on the writer sees what runs. To be called before the first call. */
export function shareRunning(memory: SharedArrayBuffer, ringBytes: number): void {
  const cells = new Float64Array(memory, openCallsAt(ringBytes).stack, OPEN_STACK_CALLS * CELLS_PER_CALL)
  shared = { cells, isPrivate: new Int32Array(memory, LaneI32.OPEN_PRIVATE * 4, 1) }
  running.cells = cells
  running.depth = new Int32Array(memory, LaneI32.OPEN_DEPTH * 4, 1)
}

/** Room for one more call: no more than that is seen by others, until {@link shareAgain}. */
export function makeRoom(): void {
  const { cells } = running
  const larger = new Float64Array(cells.length * 2)
  larger.set(cells)
  running.cells = larger
  if (shared !== null) shared.isPrivate[0] = 1
}

/** At a time when nothing runs: what runs next stands in shared memory again. */
export function shareAgain(): void {
  if (shared === null || shared.isPrivate[0] === 0) return
  if (running.depth[0] !== 0 || running.unsettled !== 0) return
  running.cells = shared.cells
  shared.isPrivate[0] = 0
}

/**
 * Makes the call at `depth` the one that continuations inherit, in place of the context that was inherited itself
 * (which is asked for only where contexts are entered).
 */
export function carry(depth: number, call: number, trace: number, inherited: CallContext | undefined): void {
  const carries = depth * CELLS + CARRIES
  if (ENTERS) {
    outer[depth] = inherited
    entered[depth] = { call, trace }
    storage.enterWith(entered[depth])
    calls.cells[carries] = ENTERED
    return
  }
  followResources(contextOfResource)
  scopes[depth] = scopeId()
  let below = innermost
  while (below >= depth) below = carriesBelow[below]
  carriesBelow[depth] = below
  innermost = depth
  calls.cells[carries] = FOUND
}

/** What a resource gets that is made now; `undefined`: what its maker has inherited. */
function contextOfResource(): CallContext | undefined {
  if (deriving.at !== NOWHERE) return contextAt(deriving.at)
  const { cells } = calls
  const depth = calls.depth[0]
  let at = innermost
  // Calls that have ended are still in the list.
  while (at !== NOWHERE && (at >= depth || cells[at * CELLS + CARRIES] === NOT)) {
    at = carriesBelow[at]
  }
  innermost = at
  return at === NOWHERE || scopes[at] !== scopeId() ? undefined : contextAt(at)
}

/** One object a call, however many resources it makes. */
function contextAt(depth: number): CallContext {
  const cell = depth * CELLS
  const call = calls.cells[cell + CALL]
  const trace = calls.cells[cell + TRACE]
  const last = entered[depth]
  if (last !== undefined && last.call === call && last.trace === trace) return last
  entered[depth] = { call, trace }
  return entered[depth]
}

/** Undoes {@link carry}. */
export function putBack(depth: number): void {
  const cell = depth * CELLS + CARRIES
  if (calls.cells[cell] === ENTERED) storage.enterWith(outer[depth])
  calls.cells[cell] = NOT
}

/**
 * The stack ended before {@link putBack} was done. What has inherited the context since then may be no part of the
 * call: it has no parent, rather than a wrong one.
 */
export function loseContext(depth: number): void {
  const cell = depth * CELLS_PER_CALL
  const { cells } = running
  if (cells[cell + Cell.CARRIES] === Carries.not) return
  const context = entered[depth]
  if (context !== undefined && context.call === cells[cell + Cell.CALL]) {
    context.call = 0
    context.trace = 0
  }
  // On the very stack that has left it, unless that is empty by now.
  if (running.depth[0] > 0) putBack(depth)
  cells[cell + Cell.CARRIES] = Carries.not
}

/** A call that is resumed: what others see of it while it stands on the stack. */
export interface ResumedCall {
  readonly call: number
  readonly trace: number
  readonly parent: number
  readonly startMs: number
  /** Number in the totals, {@link NO_SITE}: this is no call by itself. */
  readonly site: number
}
export const NO_SITE = -1

/** Runs a piece of code as part of a call, wherever it is resumed. */
export function runAs<T>(call: ResumedCall, body: () => T): T {
  const depth = running.depth[0]
  const at = resume(call)
  try {
    return body()
  } finally {
    running.depth[0] = depth
    try {
      suspend(at)
    } catch {
      // It waits among the unsettled.
    }
  }
}

/** What runs from now on is part of a call; returns its depth, to be given to {@link suspend}. */
export function resume({ call, trace, parent, startMs, site }: ResumedCall): number {
  // Above what waits to be settled, which a wrapper with more room on its stack will do.
  const at = running.unsettled
  const cell = at * CELLS_PER_CALL
  if (cell === running.cells.length) makeRoom()
  const { cells } = running
  cells[cell + Cell.START] = startMs
  cells[cell + Cell.CALL] = call
  cells[cell + Cell.TRACE] = trace
  cells[cell + Cell.PARENT] = parent
  cells[cell + Cell.MARK] = -1
  cells[cell + Cell.CARRIES] = Carries.not
  cells[cell + Cell.SITE] = site
  runningSites[at] = null
  carry(at, call, trace, entersContext ? inheritedContext() : undefined)
  running.depth[0] = running.unsettled = at + 1
  return at
}

/** Undoes {@link resume}, after the depth of the stack was put back. */
export function suspend(at: number): void {
  putBack(at)
  if (running.unsettled === at + 1) running.unsettled = at
}

/** The innermost call: on the stack, or else inherited. `call` 0 with a trace: directly below a remote caller. */
export function currentContext(): CallContext | null {
  const { unsettled, cells } = running
  const depth = running.depth[0]
  if (depth === 0) return unsettled === 0 ? (inheritedContext() ?? null) : null
  const cell = (depth - 1) * CELLS_PER_CALL
  return { call: cells[cell + Cell.CALL], trace: cells[cell + Cell.TRACE] }
}
