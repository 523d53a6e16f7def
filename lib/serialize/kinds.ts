import { nameBytesOf } from './class-names.js'
import {
  BlobPrototype,
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
  ParamsPrototype,
  UrlPrototype,
  weakMapGet,
  weakMapSet,
} from './intrinsics.js'
import { SHAPE_NAME_BYTES } from './markers.js'
import { factsOf } from './opaque-facts.js'
import { functionName, ownData } from './own-data.js'

/** How an object is rendered. `opaque`: by its type, and the {@link PrototypeInfo.facts} that are known of it. */
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
  | 'params'
  | 'blob'
  | 'view'
  | 'buffer'
  | 'boxed'
  | 'global'
  | 'opaque'

export interface PrototypeInfo {
  /** What the objects of this prototype are expected to be; a renderer checks the brand of the one it gets. */
  readonly kind: Kind
  /** Empty when there is none that can be read without running code. */
  readonly className: string
  /** The name for the shape of arguments: UTF-8, shortened, and empty when there is a secret in it. */
  readonly nameBytes: Uint8Array
  /** Of an opaque kind: names of the fields that may be shown. */
  readonly facts: readonly string[]
}

const MAX_CHAIN = 64
const PLAIN = infoOf('plain', '', [])
const NAMESPACE = infoOf('opaque', 'Module', [])

function infoOf(kind: Kind, className: string, facts: readonly string[]): PrototypeInfo {
  return { kind, className, nameBytes: nameBytesOf(className), facts }
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
  [ParamsPrototype, 'params'],
  [BlobPrototype, 'blob'],
  [Uint8Array.prototype, 'view'],
  [Buffer.prototype, 'view'],
  [ArrayBuffer.prototype, 'buffer'],
  [SharedArrayBuffer.prototype, 'buffer'],
] as const) {
  const className = kind === 'plain' ? '' : classNameOf(prototype)
  known.set(prototype, infoOf(kind, className, []))
}

/** `value` is not a Proxy, `prototype` is its prototype and may be one. */
export function prototypeInfo(value: object, prototype: object | null): PrototypeInfo {
  if (prototype === null) return isModuleNamespaceObject(value) ? NAMESPACE : PLAIN
  return weakMapGet(known, prototype) ?? identify(value, prototype)
}

function identify(value: object, prototype: object): PrototypeInfo {
  const className =
    classNameOf(prototype) ||
    (isGeneratorObject(value) ? 'Generator' : isGlobal(prototype) ? 'global' : tagOf(prototype))
  const kind = kindOf(value, prototype)
  const info = infoOf(kind, className, kind === 'opaque' ? factsOf(prototype) : [])
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
  if (isGlobal(prototype)) return 'global'
  let emits = false
  let at: object | null = prototype
  for (let i = 0; at !== null && i < MAX_CHAIN; i++) {
    if (isProxy(at)) return 'instance'
    if (at === ErrorPrototype || at === DomExceptionPrototype) return 'error'
    if (at === EmitterPrototype || at === EventTargetPrototype) return 'opaque'
    if (at === UrlPrototype) return 'url'
    if (at === ParamsPrototype) return 'params'
    if (at === BlobPrototype) return 'blob'
    // An Observable or a Subject: what it holds is how it works, and its listeners.
    if (hasMethod(at, 'subscribe') && hasMethod(at, 'pipe')) return 'opaque'
    if (hasMethod(at, 'emit') && hasMethod(at, 'on')) emits = true
    const next = getPrototypeOf(at) as object | null
    if (next === null && at === prototype && isRoot(at)) return 'plain'
    at = next
  }
  // An emitter of another realm or of a userland package keeps its listeners in `_events`.
  if (emits && hasOwn(value, '_events')) return 'opaque'
  // Timers are linked to each other: a walk from one of them shows the arguments of strangers.
  return hasOwn(value, '_onTimeout') || hasOwn(value, '_onImmediate') ? 'opaque' : 'instance'
}

function hasMethod(target: object, name: string): boolean {
  return typeof ownData(target, name) === 'function'
}

/**
 * The prototype of a global object: `Object` by name, or in a `vm` context nameless, above the real one. A context
 * looks the keys of its global up in the sandbox, which may be a Proxy that nobody can recognize from outside.
 */
function isGlobal(prototype: object): boolean {
  if (isProxy(prototype)) return false
  const above = getPrototypeOf(prototype) as object | null
  if (above === null || isProxy(above) || getPrototypeOf(above) !== null || !isRoot(above)) return false
  if (isRoot(prototype)) return true
  const maker = ownData(prototype, 'constructor')
  if (above === ObjectPrototype || typeof maker !== 'function' || isProxy(maker)) return false
  // An anonymous class of another realm has a prototype that cannot be written.
  return ownData(maker, 'name') === '' && getOwnPropertyDescriptor(maker, 'prototype')?.writable === true
}

/** `Object.prototype` of another realm. */
function isRoot(prototype: object): boolean {
  const maker = ownData(prototype, 'constructor')
  return typeof maker === 'function' && !isProxy(maker) && ownData(maker, 'name') === 'Object'
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

/** `Array Iterator`: what the engine calls the instances of a prototype without a constructor. */
function tagOf(prototype: object): string {
  const tag = isProxy(prototype) ? undefined : ownData(prototype, Symbol.toStringTag)
  return typeof tag === 'string' && tag.length <= SHAPE_NAME_BYTES && tag !== 'Object' ? tag : ''
}
