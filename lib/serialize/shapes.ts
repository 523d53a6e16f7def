import { dimensionsOf } from './dimensions.js'
import {
  arrayBufferLength,
  blobSize,
  dataViewLength,
  getOwnPropertyDescriptor,
  getPrototypeOf,
  hasOwn,
  isAnyArrayBuffer,
  isArray,
  isArrayBufferView,
  isDataView,
  isMap,
  isProxy,
  isSet,
  isSharedBuffer,
  mapSize,
  ownKeys,
  paramsSize,
  setAdd,
  setSize,
  sharedBufferLength,
  symbolDescription,
  typedArrayLength,
  typedArrayName,
} from './intrinsics.js'
import { prototypeInfo } from './kinds.js'
import { functionName, ownData } from './own-data.js'
import { MAX_READ_UNITS } from './secret-screen.js'

/** Where a shape notes that a position is too expensive to be listed again. */
interface CostMemory {
  readonly site: { readonly costly: Set<number> }
  readonly position: number
  /** Own keys of the value itself, once they were counted. */
  keysSeen: number
}

/** An object with more own keys marks its position as costly: listing a million keys takes 330 ms (measured). */
export const COSTLY_KEYS = 1_000

/** `Array 10000000`, or `Table 1000000×100` when its first row is an object or a list. */
export function listShape(list: readonly unknown[], memory: CostMemory): string {
  const first = ownData(list, '0')
  if (typeof first !== 'object' || first === null || isProxy(first)) return `Array ${list.length}`
  if (isArray(first)) return `Table ${list.length}×${first.length}`
  if (isArrayBufferView(first)) return `Table ${list.length}×${viewLength(first)}`
  const kind = prototypeInfo(first, getPrototypeOf(first) as object | null).kind
  if (kind !== 'plain' && kind !== 'instance') return `Array ${list.length}`
  return `Table ${list.length}×${keyCount(first, memory)}`
}

/** Counts own keys, which is only cheap for small objects: the first large one is the last that is counted here. */
function keyCount(value: object, memory: CostMemory): number {
  const count = ownKeys(value).length
  if (count > COSTLY_KEYS) setAdd(memory.site.costly, memory.position)
  return count
}

/** `Float64Array 1000000`, `Buffer 1024`, `DataView 8`. Flat cost, and never a throw for a detached buffer. */
export function viewShape(view: object, className: string): string {
  return `${className === '' ? (typedArrayName(view) ?? 'DataView') : className} ${viewLength(view)}`
}

export function viewLength(view: object): number {
  if (!isDataView(view)) return typedArrayLength(view)
  try {
    return dataViewLength(view)
  } catch {
    // A DataView of a detached buffer has no length any more; a typed array then says 0.
    return 0
  }
}

export function bufferLength(buffer: object): number {
  return isSharedBuffer(buffer) ? sharedBufferLength(buffer) : arrayBufferLength(buffer)
}

export function functionText(value: object): string {
  const name = functionName(value)
  const prototype = getOwnPropertyDescriptor(value, 'prototype')
  // Only the `prototype` of a class is data that cannot be written.
  const isClass = prototype !== undefined && hasOwn(prototype, 'writable') && prototype.writable === false
  const word = isClass ? 'Class' : 'Function'
  return name === '' ? word : `${word} ${name}`
}

export function symbolText(value: symbol): string {
  const description = symbolDescription(value) ?? ''
  return description.length > MAX_READ_UNITS ? `Symbol of ${description.length}` : `Symbol(${description})`
}

/** Type and size of any value, for `mode: 'types'` and for costly positions, where keys are not counted. */
export function typeText(value: unknown, countKeys: boolean, memory: CostMemory): string {
  switch (typeof value) {
    case 'string':
      return `string ${value.length}`
    case 'object':
      return value === null ? 'null' : objectText(value, countKeys, memory)
    case 'function':
      return isProxy(value) ? 'Proxy' : functionText(value)
    case 'number':
    case 'boolean':
    case 'undefined':
    case 'bigint':
    case 'symbol':
      return typeof value
  }
}

function objectText(value: object, countKeys: boolean, memory: CostMemory): string {
  if (isProxy(value)) return 'Proxy'
  const { kind, className } = prototypeInfo(value, getPrototypeOf(value) as object | null)
  if (isArray(value)) return countKeys ? listShapeFrom(value, memory) : `Array ${value.length}`
  if (isArrayBufferView(value)) return viewShape(value, className)
  if (isAnyArrayBuffer(value)) return `${className === '' ? 'ArrayBuffer' : className} ${bufferLength(value)}`
  if (kind === 'params') return `${className} ${paramsSize(value)}`
  if (kind === 'blob') return `${className} ${blobSize(value)}`
  if (isMap(value)) return `${className === '' ? 'Map' : className} ${mapSize(value)}`
  if (isSet(value)) return `${className === '' ? 'Set' : className} ${setSize(value)}`
  const name = className === '' ? 'Object' : className
  if (kind !== 'plain' && kind !== 'instance') return name
  const dimensions = kind === 'instance' ? dimensionsOf(value) : ''
  if (dimensions !== '') return `${name} ${dimensions}`
  if (!countKeys) return name
  memory.keysSeen = keyCount(value, memory)
  return `${name} ${memory.keysSeen} keys`
}

function listShapeFrom(list: readonly unknown[], memory: CostMemory): string {
  return list.length > COSTLY_KEYS ? listShape(list, memory) : `Array ${list.length}`
}
