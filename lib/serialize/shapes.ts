import {
  arrayBufferLength,
  dataViewLength,
  getOwnPropertyDescriptor,
  getPrototypeOf,
  hasOwn,
  isAnyArrayBuffer,
  isArray,
  isArrayBufferView,
  isDataView,
  isInteger,
  isMap,
  isProxy,
  isSet,
  isSharedBuffer,
  mapSize,
  ownKeys,
  setAdd,
  setSize,
  sharedBufferLength,
  symbolDescription,
  typedArrayLength,
  typedArrayName,
} from './intrinsics.js'
import { functionName, ownData, prototypeInfo } from './kinds.js'

/** Where a shape notes that a position is too expensive to be listed again. */
interface CostMemory {
  readonly site: { readonly costly: Set<number> }
  readonly position: number
  /** Own keys of the value itself, once they were counted. */
  keysSeen: number
}

/** An object with more own keys marks its position as costly: listing a million keys takes 330 ms (measured). */
export const COSTLY_KEYS = 1_000
const MAX_DIMENSIONS = 8

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

/** `1000000×100` of an instance that says its dimensions in own data; empty when it says none. */
export function dimensionsOf(value: object): string {
  const shape = ownData(value, 'shape')
  if (typeof shape === 'object' && shape !== null && !isProxy(shape) && isArray(shape))
    return dimensionsText(shape)
  const rows = ownData(value, 'numRows')
  const columns = ownData(value, 'numCols')
  if (isCount(rows) && isCount(columns)) return `${rows}×${columns}`
  const height = ownData(value, 'height')
  const width = ownData(value, 'width')
  // Many things have a height and a width: only what holds its cells in bulk is a table.
  return isCount(height) && isCount(width) && holdsBulk(value) ? `${height}×${width}` : ''
}

function dimensionsText(shape: readonly unknown[]): string {
  if (shape.length === 0 || shape.length > MAX_DIMENSIONS) return ''
  let text = ''
  for (let i = 0; i < shape.length; i++) {
    const size = ownData(shape, i)
    if (!isCount(size)) return ''
    text += i === 0 ? `${size}` : `×${size}`
  }
  return text
}

const BULK_KEYS = ['data', 'values', 'columns', 'rows', 'series', 'pixels', 'buffer', 'cells'] as const

function holdsBulk(value: object): boolean {
  for (let i = 0; i < BULK_KEYS.length; i++) {
    const bulk = ownData(value, BULK_KEYS[i] as string)
    if (typeof bulk !== 'object' || bulk === null || isProxy(bulk)) continue
    if (isArray(bulk) || isArrayBufferView(bulk)) return true
  }
  return false
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && isInteger(value) && value >= 0
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
  return `Symbol(${symbolDescription(value) ?? ''})`
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
