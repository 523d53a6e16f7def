/**
 * Built-ins as they were when this module was loaded. The application may patch prototypes later, or earlier
 * patches may call back into it: capture must neither run that code nor break on it. Nothing in this folder calls a
 * method of a value it captures except through these.
 */
import { EventEmitter } from 'node:events'
import { types } from 'node:util'

type Method = (this: never, ...args: never[]) => unknown
type Uncurried<F extends Method> = (self: ThisParameterType<F>, ...args: Parameters<F>) => ReturnType<F>

const { bind, call } = Function.prototype
// The bound pair is inlined by the optimizing compiler: measured as fast as a method call.
export const uncurry: <F extends Method>(method: F) => Uncurried<F> = bind.bind(call) as never

const descriptorOf = Object.getOwnPropertyDescriptor
function getter<This, Value>(prototype: object, key: PropertyKey): (self: This) => Value {
  const get = descriptorOf(prototype, key)?.get
  if (get === undefined) throw new TypeError(`This JavaScript engine has no getter ${String(key)}`)
  return uncurry(get as (this: This) => Value)
}

export const {
  isAnyArrayBuffer,
  isArrayBufferView,
  isBigIntObject,
  isBooleanObject,
  isDataView,
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
  isTypedArray,
  isWeakMap,
  isWeakSet,
} = types

export const { isArray } = Array
export const { getPrototypeOf, getOwnPropertySymbols, keys: ownKeys, hasOwn } = Object
export const getOwnPropertyDescriptor = Object.getOwnPropertyDescriptor
// Untyped in the libraries, for it is an old one, which engines need not have and hardened applications remove.
const ownLookupGetter = (
  Object.prototype as unknown as { __lookupGetter__?: (this: object, key: PropertyKey) => unknown }
).__lookupGetter__
/** The getter of an own property; of data it is `undefined`, as of a setter without a getter. */
export const lookupGetter =
  typeof ownLookupGetter === 'function' ? uncurry(ownLookupGetter) : getterOfDescriptor
function getterOfDescriptor(owner: object, key: PropertyKey): unknown {
  const descriptor = getOwnPropertyDescriptor(owner, key)
  return descriptor !== undefined && !hasOwn(descriptor, 'value') ? descriptor.get : undefined
}
export const { isInteger, isSafeInteger } = Number
export const { min, max, floor } = Math
export const { asIntN } = BigInt

export const ObjectPrototype = Object.prototype
export const ArrayPrototype = Array.prototype
export const ErrorPrototype = Error.prototype
export const EmitterPrototype: object = EventEmitter.prototype
export const EventTargetPrototype: object = EventTarget.prototype
export const UrlPrototype: object = URL.prototype

export const charCodeAt = uncurry(String.prototype.charCodeAt)
export const stringSlice = uncurry(String.prototype.slice)
export const indexOf = uncurry(String.prototype.indexOf)
export const lastIndexOf = uncurry(String.prototype.lastIndexOf)
export const decodeComponent = decodeURIComponent
export const normalize = uncurry(String.prototype.normalize)
export const toLowerCase = uncurry(String.prototype.toLowerCase)
export const bigintToNumber = Number as (value: bigint) => number
export const bigintToString = uncurry(BigInt.prototype.toString)
export const promiseThen = uncurry(Promise.prototype.then)
export const execRegExp = uncurry(RegExp.prototype.exec)

export const mapGet = uncurry(Map.prototype.get) as <K, V>(map: ReadonlyMap<K, V>, key: K) => V | undefined
export const mapSet = uncurry(Map.prototype.set) as <K, V>(map: Map<K, V>, key: K, value: V) => Map<K, V>
export const mapClear = uncurry(Map.prototype.clear)
export const mapSize = getter<ReadonlyMap<unknown, unknown>, number>(Map.prototype, 'size')
export const setHas = uncurry(Set.prototype.has) as <T>(set: ReadonlySet<T>, value: T) => boolean
export const setAdd = uncurry(Set.prototype.add) as <T>(set: Set<T>, value: T) => Set<T>
export const setSize = getter<ReadonlySet<unknown>, number>(Set.prototype, 'size')
export const weakMapGet = uncurry(WeakMap.prototype.get) as <K extends object, V>(
  map: WeakMap<K, V>,
  key: K,
) => V | undefined
export const weakMapSet = uncurry(WeakMap.prototype.set) as <K extends object, V>(
  map: WeakMap<K, V>,
  key: K,
  value: V,
) => WeakMap<K, V>

export const mapEntries = uncurry(Map.prototype.entries) as (
  map: ReadonlyMap<unknown, unknown>,
) => Iterator<[unknown, unknown]>
export const setValues = uncurry(Set.prototype.values) as (set: ReadonlySet<unknown>) => Iterator<unknown>
export const nextEntry = uncurry(new Map().entries().next as () => IteratorResult<[unknown, unknown]>) as (
  iterator: Iterator<[unknown, unknown]>,
) => IteratorResult<[unknown, unknown]>
export const nextValue = uncurry(new Set().values().next as () => IteratorResult<unknown>) as (
  iterator: Iterator<unknown>,
) => IteratorResult<unknown>

const TypedArrayPrototype = getPrototypeOf(Uint8Array.prototype) as object
export const typedArrayName = getter<unknown, string | undefined>(TypedArrayPrototype, Symbol.toStringTag)
export const typedArrayBuffer = getter<unknown, ArrayBufferLike>(TypedArrayPrototype, 'buffer')
export const typedArraySet = uncurry(Uint8Array.prototype.set)
export const copyWithin = uncurry(Uint8Array.prototype.copyWithin)
export const typedArrayOffset = getter<unknown, number>(TypedArrayPrototype, 'byteOffset')
export const typedArrayLength = getter<unknown, number>(TypedArrayPrototype, 'length')
/**
 * A DataView whose methods nobody else can patch. They are called as its methods, for only then does the optimizing
 * compiler know what the receiver is and write a store instead of a call (measured: 1 ns for 15).
 */
export const OwnDataView = class extends (DataView as new (
  buffer: ArrayBufferLike,
  offset: number,
  length: number,
) => DataView) {
  // Without it, older engines pass the arguments on through the iterator of arrays, which may be patched.
  constructor(buffer: ArrayBufferLike, offset: number, length: number) {
    super(buffer, offset, length)
  }
}
export type OwnDataView = DataView
for (const name of ['setInt32', 'setFloat64'] as const) {
  // Without a prototype: `get` of a polluted one would make it the descriptor of an accessor.
  const descriptor = { __proto__: null, value: DataView.prototype[name] }
  Object.defineProperty(OwnDataView.prototype, name, descriptor as PropertyDescriptor)
}
/** For what `subarray` and `slice` do: these ask the application for its `Symbol.species`, and hand it the memory. */
export const OwnBytes = Uint8Array
export const dataViewLength = getter<unknown, number>(DataView.prototype, 'byteLength')
export const arrayBufferLength = getter<unknown, number>(ArrayBuffer.prototype, 'byteLength')
export const sharedBufferLength = getter<unknown, number>(SharedArrayBuffer.prototype, 'byteLength')
export const isSharedBuffer = types.isSharedArrayBuffer

export const dateTime = uncurry(Date.prototype.getTime) as (date: unknown) => number
export const isoText = uncurry(Date.prototype.toISOString) as (date: unknown) => string

// `flags` itself reads `this.global` and so on, which a subclass may override: the single getters do not.
const REGEXP_FLAGS: readonly (readonly [string, (regexp: unknown) => boolean])[] = [
  ['d', getter(RegExp.prototype, 'hasIndices')],
  ['g', getter(RegExp.prototype, 'global')],
  ['i', getter(RegExp.prototype, 'ignoreCase')],
  ['m', getter(RegExp.prototype, 'multiline')],
  ['s', getter(RegExp.prototype, 'dotAll')],
  ['u', getter(RegExp.prototype, 'unicode')],
  ['v', getter(RegExp.prototype, 'unicodeSets')],
  ['y', getter(RegExp.prototype, 'sticky')],
]
export const regexpSource = getter<unknown, string>(RegExp.prototype, 'source')
export function regexpFlags(regexp: unknown): string {
  let flags = ''
  for (let i = 0; i < REGEXP_FLAGS.length; i++) {
    // Not taken apart as a list, which would ask for the iterator of arrays.
    const flag = REGEXP_FLAGS[i] as (typeof REGEXP_FLAGS)[number]
    if (flag[1](regexp)) flags += flag[0]
  }
  return flags
}

const OwnRegExp = RegExp
/** A copy that nobody else can `compile` anew, and that keeps no place between two searches, as `g` and `y` do. */
export function ownRegExp(regexp: RegExp): RegExp {
  let flags = ''
  for (const flag of regexpFlags(regexp)) if (flag !== 'g' && flag !== 'y') flags += flag
  return new OwnRegExp(regexpSource(regexp), flags)
}

export const ParamsPrototype: object = URLSearchParams.prototype
export const paramsSize = getter<unknown, number>(ParamsPrototype, 'size')
export const paramsEntries = uncurry(URLSearchParams.prototype.entries) as (
  params: unknown,
) => Iterator<[string, string]>
export const nextParam = uncurry(
  new URLSearchParams().entries().next as () => IteratorResult<[string, string]>,
) as (iterator: Iterator<[string, string]>) => IteratorResult<[string, string]>
export const BlobPrototype: object = Blob.prototype
export const blobSize = getter<unknown, number>(BlobPrototype, 'size')

export const urlHref = getter<unknown, string>(URL.prototype, 'href')
export const symbolDescription = getter<symbol, string | undefined>(Symbol.prototype, 'description')

export const unboxNumber = uncurry(Number.prototype.valueOf) as (boxed: unknown) => number
export const unboxString = uncurry(String.prototype.valueOf) as (boxed: unknown) => string
export const unboxBoolean = uncurry(Boolean.prototype.valueOf) as (boxed: unknown) => boolean
export const unboxBigInt = uncurry(BigInt.prototype.valueOf) as (boxed: unknown) => bigint
export const unboxSymbol = uncurry(Symbol.prototype.valueOf) as (boxed: unknown) => symbol

const OwnError = Error
let engineStack: { readonly getter: unknown; readonly read: (error: object) => unknown } | undefined

/**
 * What the getter of the engine says; `null`: `getter` is another. From Node 21 `stack` is an accessor, and its getter
 * is the same function for every error: the one getter that may be read. Node 20 would write a whole stack out if asked
 * for it at the import, and count the lines of this file.
 */
export function readStack(error: object, getter: unknown): unknown {
  if (getter === undefined) return null
  engineStack ??= stackOfEngine()
  return getter === engineStack.getter ? engineStack.read(error) : null
}

function stackOfEngine() {
  const getter = descriptorOf(new OwnError('probe'), 'stack')?.get
  const read = getter === undefined ? () => null : uncurry(getter as (this: unknown) => unknown)
  return { getter, read: read as (error: object) => unknown }
}

/** `AbortError` and `TimeoutError` are DOMExceptions: their fields stand behind getters of the platform. */
export const DomExceptionPrototype: object = DOMException.prototype
export const domExceptionName = getter<unknown, string>(DOMException.prototype, 'name')
export const domExceptionMessage = getter<unknown, string>(DOMException.prototype, 'message')
