/** Any function, whatever it takes and gives. */
export type AnyFunction = (...args: never[]) => unknown

interface MetadataReflect {
  getOwnMetadataKeys?(target: object): unknown[]
  getOwnMetadata?(key: unknown, target: object): unknown
  defineMetadata?(key: unknown, value: unknown, target: object): void
}

/** Own properties of every sloppy function that cannot be copied. */
const UNCOPIED = new Set<string | symbol>(['arguments', 'caller', 'prototype'])

/**
 * Makes a wrapper look like the function it wraps: name, length, own properties, prototype object, the function's
 * own prototype chain (so an async function still says so), and every key of `reflect-metadata` it carries by now.
 * Keys that later decorators add go to the wrapper by themselves.
 */
export function shapeLike<F extends AnyFunction>(wrapper: Function, original: F): F {
  Object.setPrototypeOf(wrapper, Object.getPrototypeOf(original) as object | null)
  for (const key of Reflect.ownKeys(original)) {
    if (UNCOPIED.has(key)) continue
    const descriptor = Object.getOwnPropertyDescriptor(original, key)
    if (descriptor === undefined) continue
    // What points back to the function itself, as `util.promisify` has it, points to the wrapper.
    if (descriptor.value === original) descriptor.value = wrapper
    // What someone has put on Object.prototype is no part of a descriptor.
    Object.setPrototypeOf(descriptor, null)
    Reflect.defineProperty(wrapper, key, descriptor)
  }
  copyPrototype(original, wrapper)
  copyMetadata(original, wrapper)
  return wrapper as unknown as F
}

/** A wrapper that can be constructed has one that can be replaced but not removed; any other has none yet. */
function copyPrototype(from: object, to: object): void {
  const prototype = Object.getOwnPropertyDescriptor(from, 'prototype')
  if (Object.hasOwn(to, 'prototype')) Reflect.set(to, 'prototype', prototype?.value)
  else if (prototype !== undefined)
    Reflect.defineProperty(to, 'prototype', Object.setPrototypeOf(prototype, null) as PropertyDescriptor)
}

function copyMetadata(from: object, to: object): void {
  const reflect = Reflect as MetadataReflect
  if (
    typeof reflect.getOwnMetadataKeys !== 'function' ||
    typeof reflect.getOwnMetadata !== 'function' ||
    typeof reflect.defineMetadata !== 'function'
  ) {
    return
  }
  for (const key of reflect.getOwnMetadataKeys(from)) {
    reflect.defineMetadata(key, reflect.getOwnMetadata(key, from), to)
  }
}
