import { isObject } from './naming.js'

const wrappers = new WeakSet<Function>()
const homes = new WeakMap<Function, (holder: object) => void>()
const decorated = new WeakMap<object, DecoratedKeys>()

export function rememberMonitored(wrapper: Function): void {
  wrappers.add(wrapper)
}

/** Whether a function is a wrapper of ours: whole classes and `monitorAll` leave those as they are. */
export function isMonitored(fn: Function): boolean {
  return wrappers.has(fn)
}

/** A wrapper that was made before its class existed waits here to be told where it ended up. */
export function awaitHome(wrapper: Function, found: (holder: object) => void): void {
  homes.set(wrapper, found)
}

export function tellHome(wrapper: Function, holder: object): void {
  homes.get(wrapper)?.(holder)
}

/** The keys of static and of other members. */
type DecoratedKeys = readonly [Set<string | symbol>, Set<string | symbol>]

/**
 * Members with a decorator of their own: another decorator above ours may have replaced the wrapper by a function
 * nobody knows. They are remembered by what their class can be found by again: the class or prototype (legacy), or
 * the metadata object the decorators of one class share (standard; there is none without `Symbol.metadata`).
 */
export function rememberDecorated(owner: unknown, key: string | symbol, isStatic: boolean): void {
  if (!isObject(owner)) return
  const known = decorated.get(owner)
  const keys: DecoratedKeys = known ?? [new Set(), new Set()]
  if (known === undefined) decorated.set(owner, keys)
  keys[isStatic ? 0 : 1].add(key)
}

export function isDecorated(owner: unknown, key: string | symbol, isStatic: boolean): boolean {
  return isObject(owner) && decorated.get(owner)?.[isStatic ? 0 : 1].has(key) === true
}
