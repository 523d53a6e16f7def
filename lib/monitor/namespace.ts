import { types } from 'node:util'
import { isClass, type Plan } from './members.js'
import { isMonitored } from './monitored.js'
import { isPlainFunction, isReplaceable, memory, monitorClassMember } from './object.js'

const isEnumerable = Object.prototype.propertyIsEnumerable

/** Names every compiled module may have beside its bindings. */
const BESIDE_BINDINGS = new Set<string | symbol>(['default', '__esModule'])

/**
 * Whether an object is a module's namespace: a real one, or what compilers and bundlers make of one, getters that can
 * be neither set nor replaced.
 */
export function isNamespace(target: object): boolean {
  if (types.isModuleNamespaceObject(target)) return true
  if (typeof target === 'function') return false
  const bindings = Object.keys(target).filter(key => !BESIDE_BINDINGS.has(key))
  return bindings.length > 0 && bindings.every(key => isBinding(target, key))
}

function isBinding(target: object, key: string): boolean {
  const { get, set, configurable } = Object.getOwnPropertyDescriptor(target, key) ?? {}
  return get !== undefined && set === undefined && configurable === false
}

/**
 * An object with the keys of a namespace that reads through to it at every access, so bindings stay live, and hands
 * out functions monitored. A binding is read when the app reads it, not before: it may not be initialised yet.
 */
export function standInFor<T extends object>(namespace: T, plan: Plan, classes: boolean): T {
  const named = { ...plan, name: plan.name ?? '' }
  const wrapperFor = memory(named)
  const stand = (value: unknown, key: string | symbol): unknown => {
    if (classes && isPlainFunction(value) && isClass(value)) monitorClassMember(value, key, named)
    const meant = isReplaceable(value) && !isMonitored(value) && plan.selection.takes(key)
    return meant ? wrapperFor(value, key) : value
  }
  const standIn = Object.create(Object.getPrototypeOf(namespace) as object | null) as T
  const real = types.isModuleNamespaceObject(namespace)
  for (const key of Reflect.ownKeys(namespace)) {
    // A binding that is not initialised yet cannot even be asked for its attributes. All are enumerable.
    const enumerable = real ? typeof key === 'string' : isEnumerable.call(namespace, key)
    let latest: unknown
    let given: unknown
    const get = (): unknown => {
      const value: unknown = Reflect.get(namespace, key)
      if (value !== latest) {
        given = stand(value, key)
        latest = value
      }
      return given
    }
    Object.defineProperty(standIn, key, { get, enumerable })
  }
  return Object.preventExtensions(standIn)
}
