import { types } from 'node:util'

const MAX_CHAIN = 64

/** The own data property `name` of a function, without running a getter (`static get name()`). */
export function functionName(fn: Function): string {
  // A Proxy's traps are app code.
  if (types.isProxy(fn)) return ''
  const descriptor = Object.getOwnPropertyDescriptor(fn, 'name')
  return typeof descriptor?.value === 'string' ? descriptor.value : ''
}

/** `Class` for a class, or for the prototype of one. */
export function className(holder: object): string {
  if (typeof holder === 'function') return functionName(holder)
  const owner = Object.getOwnPropertyDescriptor(holder, 'constructor')?.value as unknown
  return typeof owner === 'function' ? functionName(owner) : ''
}

export function memberName(holder: string, key: string | symbol, prefix = ''): string {
  const member = memberText(key)
  return holder === '' ? `${prefix}${member}` : `${holder}.${prefix}${member}`
}

/** A member's key as it stands in a name. */
export function memberText(key: string | symbol): string {
  // Where the engine does not have these two yet, Node's own are described as `nodejs.dispose`.
  if (key === Symbol.dispose) return '[Symbol.dispose]'
  if (key === Symbol.asyncDispose) return '[Symbol.asyncDispose]'
  return typeof key === 'symbol' ? `[${key.description ?? 'symbol'}]` : key
}

/**
 * The name of the class whose decorators share a metadata object. Only there once something has defined
 * `Symbol.metadata`; then it is exact for private members and properties too, which are on no prototype.
 */
export function classOfMetadata(self: unknown, metadata: unknown): string | null {
  const key: symbol | undefined = Symbol.metadata
  if (typeof key !== 'symbol' || typeof metadata !== 'object' || metadata === null) return null
  let holder = isObject(self) ? self : null
  for (let depth = 0; holder !== null && depth < MAX_CHAIN && !types.isProxy(holder); depth++) {
    const owner: unknown =
      typeof holder === 'function' ? holder : Object.getOwnPropertyDescriptor(holder, 'constructor')?.value
    if (typeof owner === 'function' && !types.isProxy(owner)) {
      if (Object.getOwnPropertyDescriptor(owner, key)?.value === metadata) return functionName(owner)
    }
    holder = Object.getPrototypeOf(holder) as object | null
  }
  return null
}

export function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
}

/**
 * The name of the class that declares a member, found at the first call from `this`: a standard decorator runs before
 * its class has a name. The prototype that owns the very function is the declaring class, so an overridden method
 * called by `super` gets the name of the base class. Private members are on no prototype: the class of the
 * instance stands for them. A Proxy is not asked (its traps are app code).
 */
export function declaringClass(
  self: unknown,
  key: string | symbol,
  isMember: (value: unknown) => boolean,
): string {
  if (!isObject(self)) return ''
  let firstOwner: object | null = null
  let holder: object | null = self
  for (let depth = 0; holder !== null && depth < MAX_CHAIN && !types.isProxy(holder); depth++) {
    const descriptor = Object.getOwnPropertyDescriptor(holder, key)
    if (descriptor !== undefined) {
      if (isMember(descriptor.value) || isMember(descriptor.get) || isMember(descriptor.set)) {
        return className(holder)
      }
      firstOwner ??= holder
    }
    holder = Object.getPrototypeOf(holder) as object | null
  }
  if (firstOwner !== null) return className(firstOwner)
  return instanceClass(self)
}

/** The class of an instance, or the class itself; `''` for what is neither. */
export function instanceClass(self: unknown): string {
  if (!isObject(self) || types.isProxy(self)) return ''
  if (typeof self === 'function') return functionName(self)
  const prototype = Object.getPrototypeOf(self) as object | null
  return prototype === null || types.isProxy(prototype) ? '' : className(prototype)
}
