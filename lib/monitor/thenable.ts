import { types } from 'node:util'
import { FrameFlag } from '../queue/layout.js'
import { prototypeInfo } from '../serialize/kinds.js'
import type { CallSite } from './call-site.js'
import { pendingCall } from './pending.js'
import type { Recording } from './recording.js'
import { CELLS_PER_CALL, Cell, running } from './running.js'
import { type FoundMethod, type Method, Watch, watchedCatch, watchedThen, watching } from './watch.js'

const { getOwnPropertyDescriptor, getPrototypeOf, hasOwn } = Object
const { isModuleNamespaceObject, isPromise, isProxy } = types
const objectPrototype = Object.prototype
const promisePrototype = Promise.prototype

/** Longest prototype chain that is searched for a member. */
const MAX_CHAIN = 16

/** Prototypes whose objects have no `then` by inheritance, as far as was seen. */
const withoutThen = new WeakSet<object>([objectPrototype, Array.prototype])

/** Whether a result is neither a promise nor a thenable, as most objects are; `false`: it takes a closer look. */
export function isPlain(result: object): boolean {
  if (isProxy(result)) return false
  const prototype = getPrototypeOf(result) as object | null
  if (prototype === objectPrototype) return !hasOwn(result, 'then')
  // `null` is that of the exports of a module, too: while it loads they cannot even be looked at.
  return prototype !== null && withoutThen.has(prototype) && !hasOwn(result, 'then')
}

/**
 * A thenable that is no plain promise is returned as it is, and never started by us: the `then` of a lazy query runs
 * the query. Instead its own `then` is replaced, invisibly for enumeration, by one that looks on when the app itself
 * calls it: from then on the call runs, until the thenable settles. A later `then` is none of our business. `null`
 * for what is no thenable, or cannot be watched.
 */
export function watchThenable(
  recording: Recording,
  site: CallSite,
  at: number,
  args: ArrayLike<unknown>,
  result: object,
): object | null {
  // Exports of a module that still loads cannot even be looked at.
  if (isProxy(result) || isModuleNamespaceObject(result)) return null
  const prototype = getPrototypeOf(result) as object | null
  if (prototype !== null && withoutThen.has(prototype) && !hasOwn(result, 'then')) return null
  // A global object of another context may ask a Proxy for its members.
  if (prototypeInfo(result, prototype).kind === 'global') return null
  // `await` asks a native promise of this realm without its `then`, so there is nothing to look on at.
  if (isPromise(result) && prototype === promisePrototype) return null
  const then = findMethod(result, 'then')
  if (then === null) {
    if (prototype !== null && findMethod(prototype, 'then') === null) withoutThen.add(prototype)
    return null
  }
  const watched = watching.get(then.method)
  if (watched !== undefined) return watchOnce(watched, recording, site, at, args, result)
  if (!isReplaceable(result, then)) return null
  const watch = new Watch(result, isPromise(result))
  watch.put(then, watchedThen)
  watch.add(pendingCall(recording, site, at, FrameFlag.async, args))
  site.continues = true
  try {
    // Some have a `catch` that does not go through `then`.
    const rescue = findMethod(result, 'catch')
    if (rescue !== null && isReplaceable(result, rescue)) watch.put(rescue, watchedCatch)
  } catch {
    // The end of the stack. The call waits for its `then` by now.
  }
  return result
}

/**
 * The thenable is returned once more before the app has started it. The caller that got it from the watched call goes
 * on as well until it settles. Any other call, such as a step of a query builder, is over: the first one waits.
 */
function watchOnce(
  watch: Watch,
  recording: Recording,
  site: CallSite,
  at: number,
  args: ArrayLike<unknown>,
  result: object,
): object | null {
  const { target, outermost } = watch
  const call = running.cells[at * CELLS_PER_CALL + Cell.CALL]
  if (target !== result || outermost === undefined) return null
  if (outermost.cells[outermost.cell + Cell.PARENT] !== call) return null
  watch.add(pendingCall(recording, site, at, FrameFlag.async, args))
  site.continues = true
  return result
}

/** `null` when there is none, or it cannot be told without running code. */
function findMethod(target: object, key: FoundMethod['key']): FoundMethod | null {
  if (isProxy(target)) return null
  const own = getOwnPropertyDescriptor(target, key)
  let holder: object | null = target
  for (let depth = 0; holder !== null && depth < MAX_CHAIN && !isProxy(holder); depth++) {
    const descriptor = getOwnPropertyDescriptor(holder, key)
    if (descriptor !== undefined) {
      // An accessor would find what someone has put on Object.prototype.
      const method: unknown = hasOwn(descriptor, 'value') ? descriptor.value : undefined
      return typeof method === 'function' ? { key, method: method as Method, own } : null
    }
    holder = getPrototypeOf(holder) as object | null
  }
  return null
}

function isReplaceable(target: object, { own }: FoundMethod): boolean {
  return own === undefined ? Object.isExtensible(target) : own.configurable === true
}
