import { AsyncLocalStorage, createHook, executionAsyncId, executionAsyncResource } from 'node:async_hooks'

/**
 * Which call is running. Two numbers, never an object that points to its parents: a chain of those would keep every
 * trace alive.
 */
export interface CallContext {
  /** 0 = none: the trace was begun outside of this process. */
  call: number
  /** Call number of the first call of the trace; negative for a trace that was begun outside of this process; 0 = lost. */
  trace: number
}

/**
 * What a continuation inherits when the stack is empty: an `AsyncLocalStorage`, which from Node 24 on costs the app's
 * promises nothing.
 */
export const storage = new AsyncLocalStorage<CallContext | undefined>()

/**
 * Whether a call must enter the storage to be inherited. Before Node 24 a storage is a hook that writes into each
 * promise, timer and request when it is made. There the recorder is that hook itself and writes the call that runs, so
 * calls enter nothing: entering and leaving look the current resource up, 40 ns each once the app has many kinds of
 * them (Node 20).
 */
export const entersContext = !('kResourceStore' in storage)

const ENTERS = entersContext
const CONTEXT = Symbol('callsight.context')
const NO_SCOPE = 0
type Resource = { [CONTEXT]?: CallContext }

let isFollowing = false

/** From now on what is made asynchronously gets the context `find` gives, or else inherits that of its maker. */
export function followResources(find: () => CallContext | undefined): void {
  if (isFollowing) return
  createHook({
    init(_id: number, _type: string, _trigger: number, resource: Resource): void {
      const context = find() ?? (executionAsyncResource() as Resource)[CONTEXT]
      if (context !== undefined) resource[CONTEXT] = context
    },
  }).enable()
  isFollowing = true
}

/** Tells code that runs in the scope of an `AsyncResource` from the code that has entered that. */
export { executionAsyncId as scopeId }

/** The scope that was asked last, and what is inherited in it: a scope has one resource, which has its context from the beginning. */
let knownScope = -1
let known: CallContext | undefined

export function inheritedContext(): CallContext | undefined {
  if (ENTERS) return storage.getStore()
  const scope = executionAsyncId()
  if (scope !== knownScope) {
    known = (executionAsyncResource() as Resource)[CONTEXT]
    // What native code calls out of nowhere has no number of its own.
    knownScope = scope === NO_SCOPE ? -1 : scope
  }
  return known
}
