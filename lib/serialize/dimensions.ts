import { hasOwn, isArray, isArrayBufferView, isInteger, isProxy } from './intrinsics.js'
import { ownData } from './own-data.js'

const MAX_DIMENSIONS = 8
const MAX_BATCHES = 1_000

/** `1000000×100` of an instance that says its dimensions in own data; empty when it says none. */
export function dimensionsOf(value: object): string {
  if (hasOwn(value, 'schema')) return columnarDimensions(value)
  // Most instances have none of these: that is asked without a descriptor.
  if (hasOwn(value, 'shape')) {
    const shape = listAt(value, 'shape')
    if (shape !== null) return dimensionsText(shape)
  }
  if (hasOwn(value, 'numRows')) {
    const rows = ownData(value, 'numRows')
    const columns = ownData(value, 'numCols')
    if (isCount(rows) && isCount(columns)) return `${rows}×${columns}`
  }
  if (hasOwn(value, 'length')) return columnLength(value)
  if (!hasOwn(value, 'height')) return ''
  const height = ownData(value, 'height')
  const width = ownData(value, 'width')
  // Many things have a height and a width: only what holds its cells in bulk is a table.
  return isCount(height) && isCount(width) && holdsBulk(value) ? `${height}×${width}` : ''
}

/** A Table or a RecordBatch of Arrow: their own numbers are getters, what these add up is plain data. */
function columnarDimensions(value: object): string {
  const fields = listAt(ownObject(value, 'schema'), 'fields')
  if (fields === null) return ''
  const batches = listAt(value, 'batches')
  if (batches === null) {
    const rows = ownCount(ownObject(value, 'data'), 'length')
    return rows === -1 ? '' : `${rows}×${fields.length}`
  }
  if (batches.length > MAX_BATCHES) return `?×${fields.length}`
  let rows = 0
  for (let i = 0; i < batches.length; i++) {
    const inBatch = ownCount(ownObject(ownObject(batches, i), 'data'), 'length')
    if (inBatch === -1) return ''
    rows += inBatch
  }
  return `${rows}×${fields.length}`
}

/** A column: an Arrow Vector, which has a type, its chunks and a length. */
function columnLength(value: object): string {
  const length = ownCount(value, 'length')
  return length !== -1 && listAt(value, 'data') !== null && ownObject(value, 'type') !== null
    ? `${length}`
    : ''
}

function ownObject(value: object | null, key: PropertyKey): object | null {
  const inner = value === null ? undefined : ownData(value, key)
  return typeof inner === 'object' && inner !== null && !isProxy(inner) ? inner : null
}

function listAt(value: object | null, key: PropertyKey): readonly unknown[] | null {
  const inner = ownObject(value, key)
  return inner !== null && isArray(inner) ? inner : null
}

function ownCount(value: object | null, key: PropertyKey): number {
  const count = value === null ? undefined : ownData(value, key)
  return isCount(count) ? count : -1
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
