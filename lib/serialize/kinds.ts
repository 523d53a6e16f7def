import { NO_NAME, nameBytesOf } from './class-names.js'
import {
  DomExceptionPrototype,
  EmitterPrototype,
  ErrorPrototype,
  EventTargetPrototype,
  getOwnPropertyDescriptor,
  getPrototypeOf,
  hasOwn,
  isAnyArrayBuffer,
  isArray,
  isArrayBufferView,
  isBigIntObject,
  isBooleanObject,
  isDate,
  isGeneratorObject,
  isMap,
  isMapIterator,
  isModuleNamespaceObject,
  isNativeError,
  isNumberObject,
  isPromise,
  isProxy,
  isRegExp,
  isSet,
  isSetIterator,
  isStringObject,
  isSymbolObject,
  isWeakMap,
  isWeakSet,
  ObjectPrototype,
  UrlPrototype,
  weakMapGet,
  weakMapSet,
} from './intrinsics.js'

/** How an object is rendered. `opaque`: by its type only. */
export type Kind =
  | 'plain'
  | 'instance'
  | 'array'
  | 'date'
  | 'regexp'
  | 'map'
  | 'set'
  | 'error'
  | 'url'
  | 'view'
  | 'buffer'
  | 'boxed'
  | 'opaque'

export interface PrototypeInfo {
  /** What the objects of this prototype are expected to be; a renderer checks the brand of the one it gets. */
  readonly kind: Kind
  /** Empty when there is none that can be read without running code. */
  readonly className: string
  /** The name for the shape of arguments: UTF-8, shortened, and empty when there is a secret in it. */
  readonly nameBytes: Uint8Array
}

const MAX_CHAIN = 64
const MAX_CLASS_NAME_UNITS = 64
const PLAIN: PrototypeInfo = { kind: 'plain', className: '', nameBytes: NO_NAME }
const NAMESPACE: PrototypeInfo = {
  kind: 'opaque',
  className: 'Module',
  nameBytes: nameBytesOf('Module'),
}

// Keyed weakly: a class that is unloaded is forgotten.
const known = new WeakMap<object, PrototypeInfo>()
// Seeded, so that an odd object made from a built-in prototype cannot teach a wrong kind for all that follow.
for (const [prototype, kind] of [
  [ObjectPrototype, 'plain'],
  [Array.prototype, 'array'],
  [Date.prototype, 'date'],
  [RegExp.prototype, 'regexp'],
  [Map.prototype, 'map'],
  [Set.prototype, 'set'],
  [Promise.prototype, 'opaque'],
  [WeakMap.prototype, 'opaque'],
  [WeakSet.prototype, 'opaque'],
  [URL.prototype, 'url'],
  [Uint8Array.prototype, 'view'],
  [Buffer.prototype, 'view'],
  [ArrayBuffer.prototype, 'buffer'],
  [SharedArrayBuffer.prototype, 'buffer'],
] as const) {
  const className = kind === 'plain' ? '' : classNameOf(prototype)
  known.set(prototype, { kind, className, nameBytes: nameBytesOf(className) })
}

/** `value` is not a Proxy, `prototype` is its prototype and may be one. */
export function prototypeInfo(value: object, prototype: object | null): PrototypeInfo {
  if (prototype === null) return isModuleNamespaceObject(value) ? NAMESPACE : PLAIN
  return weakMapGet(known, prototype) ?? identify(value, prototype)
}

function identify(value: object, prototype: object): PrototypeInfo {
  const className = classNameOf(prototype) || (isGeneratorObject(value) ? 'Generator' : '')
  const info: PrototypeInfo = {
    kind: kindOf(value, prototype),
    className,
    nameBytes: nameBytesOf(className),
  }
  weakMapSet(known, prototype, info)
  return info
}

function kindOf(value: object, prototype: object): Kind {
  if (isArray(value)) return 'array'
  if (isDate(value)) return 'date'
  if (isMap(value)) return 'map'
  if (isSet(value)) return 'set'
  if (isRegExp(value)) return 'regexp'
  if (isNativeError(value)) return 'error'
  if (isArrayBufferView(value)) return 'view'
  if (isAnyArrayBuffer(value)) return 'buffer'
  if (isBoxed(value)) return 'boxed'
  if (isPromise(value) || isWeakMap(value) || isWeakSet(value) || isIterator(value)) return 'opaque'
  return kindOfChain(value, prototype)
}

export function isBoxed(value: object): boolean {
  return (
    isNumberObject(value) ||
    isStringObject(value) ||
    isBooleanObject(value) ||
    isBigIntObject(value) ||
    isSymbolObject(value)
  )
}

function isIterator(value: object): boolean {
  return isGeneratorObject(value) || isMapIterator(value) || isSetIterator(value)
}

function kindOfChain(value: object, prototype: object): Kind {
  let emits = false
  let at: object | null = prototype
  for (let i = 0; at !== null && i < MAX_CHAIN; i++) {
    if (isProxy(at)) return 'instance'
    if (at === ErrorPrototype || at === DomExceptionPrototype) return 'error'
    if (at === EmitterPrototype || at === EventTargetPrototype) return 'opaque'
    if (at === UrlPrototype) return 'url'
    if (typeof ownData(at, 'emit') === 'function' && typeof ownData(at, 'on') === 'function') emits = true
    const next = getPrototypeOf(at) as object | null
    if (next === null && at === prototype && isRoot(at)) return 'plain'
    at = next
  }
  // An emitter of another realm or of a userland package keeps its listeners in `_events`.
  return emits && hasOwn(value, '_events') ? 'opaque' : 'instance'
}

/** `Object.prototype` of another realm. */
function isRoot(prototype: object): boolean {
  const maker = ownData(prototype, 'constructor')
  return typeof maker === 'function' && !isProxy(maker) && ownData(maker, 'name') === 'Object'
}

/** The value of an own data property; `undefined` for an accessor. `target` is not a Proxy. */
export function ownData(target: object, key: PropertyKey): unknown {
  const descriptor = getOwnPropertyDescriptor(target, key)
  // `descriptor.value` of an accessor would be looked up on Object.prototype, which may be polluted.
  return descriptor !== undefined && hasOwn(descriptor, 'value') ? descriptor.value : undefined
}

/** Name of the nearest constructor on the chain that is plain data all the way; empty for none and for `Object`. */
export function classNameOf(prototype: object | null): string {
  let at = prototype
  for (let i = 0; at !== null && i < MAX_CHAIN && !isProxy(at); i++) {
    const maker = ownData(at, 'constructor')
    if (maker !== undefined) {
      const name = functionName(maker)
      return name === 'Object' ? '' : name
    }
    at = getPrototypeOf(at) as object | null
  }
  return ''
}

/** Own `name` of a function, when it is a string that is plain data. */
export function functionName(value: unknown): string {
  if (typeof value !== 'function' || isProxy(value)) return ''
  const name = ownData(value, 'name')
  return typeof name === 'string' && name.length <= MAX_CLASS_NAME_UNITS ? name : ''
}
