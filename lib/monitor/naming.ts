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
  const member = typeof key === 'symbol' ? `[${key.description ?? 'symbol'}]` : key
  return holder === '' ? `${prefix}${member}` : `${holder}.${prefix}${member}`
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
  if ((typeof self !== 'object' && typeof self !== 'function') || self === null) return ''
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
  if ((typeof self !== 'object' && typeof self !== 'function') || self === null || types.isProxy(self))
    return ''
  if (typeof self === 'function') return functionName(self)
  const prototype = Object.getPrototypeOf(self) as object | null
  return prototype === null || types.isProxy(prototype) ? '' : className(prototype)
}
