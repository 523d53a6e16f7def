import {
  ArrayPrototype,
  blobSize,
  copyWithin,
  getPrototypeOf,
  isArray,
  isArrayBufferView,
  isDate,
  isProxy,
  isRegExp,
  mapSize,
  ObjectPrototype,
  ownKeys,
  paramsSize,
  setAdd,
  setHas,
  setSize,
  typedArrayLength,
} from './intrinsics.js'
import { type PrototypeInfo, prototypeInfo } from './kinds.js'
import { Ext, SHAPED_ARGUMENTS, ShapeTag } from './markers.js'
import { writeVarint } from './msgpack-writer.js'
import { bufferLength, COSTLY_KEYS, viewLength } from './shapes.js'
import type { CaptureSite } from './text-writer.js'

/** What the walk has learned of an argument, in place of its number of own keys. */
export const Learned = { nothing: -1, hidden: -2 } as const
/** Added to the number of own keys: the prototype is that of `{}`. */
export const LEARNED_PLAIN = 0x4000_0000

// Here constants for the compiler, which imports are not.
const { hidden: HIDDEN } = Learned
const { string: STRING, number: NUMBER, object: OBJECT } = ShapeTag
const SHAPE = Ext.shape
const SHOWN = SHAPED_ARGUMENTS

/** Room that every entry may use without asking: tag and size. */
const ENTRY_BYTES = 9
const EXT_8_HEADER_BYTES = 3

/**
 * Writes the shape of the arguments (see {@link ShapeTag}).
 *
 * @param learned own keys of each argument, or {@link Learned}, for the first `walked` of them
 * @returns the offset behind it, or -1: it does not fit before `end`
 */
export function writeArgumentShape(
  bytes: Uint8Array,
  at: number,
  end: number,
  args: ArrayLike<unknown>,
  learned: Int32Array,
  walked: number,
  site: CaptureSite,
): number {
  const total = args.length
  const shown = total < SHOWN ? total : SHOWN
  let next = at + EXT_8_HEADER_BYTES
  if (next >= end) return -1
  bytes[next++] = total < 255 ? total : 255
  // One byte stays free for the header of a shape that is longer than 255 bytes.
  const limit = end - 1
  for (let i = 0; i < shown; i++) {
    if (next + ENTRY_BYTES > limit) return -1
    const value = args[i]
    const keys =
      i < walked ? (learned[i] as number) : isHidden(args, i, site) ? Learned.hidden : Learned.nothing
    if (keys === HIDDEN) bytes[next++] = ShapeTag.redacted
    else if (keys >= LEARNED_PLAIN) next = sized(bytes, next, OBJECT, keys - LEARNED_PLAIN)
    else if (typeof value === 'string') next = sized(bytes, next, STRING, value.length)
    else if (typeof value === 'number') bytes[next++] = NUMBER
    else if (typeof value === 'object' && value !== null) {
      next = objectEntry(bytes, next, limit, value, keys, i, site)
      if (next === -1) return -1
    } else bytes[next++] = primitiveTag(value)
  }
  return closeExtension(bytes, at, next)
}

/** The same judgement as the walk's, for arguments it did not come to. */
function isHidden(args: ArrayLike<unknown>, position: number, site: CaptureSite): boolean {
  if (site.redaction.hidesPosition(position)) return true
  const before = position === 0 ? undefined : args[position - 1]
  return typeof before === 'string' && site.redaction.isSecretName(before)
}

function primitiveTag(value: unknown): ShapeTag {
  switch (typeof value) {
    case 'boolean':
      return ShapeTag.boolean
    case 'undefined':
      return ShapeTag.undefined
    case 'bigint':
      return ShapeTag.bigint
    case 'symbol':
      return ShapeTag.symbol
    case 'function':
      return isProxy(value) ? ShapeTag.proxy : ShapeTag.function
    default:
      return ShapeTag.null
  }
}

function objectEntry(
  bytes: Uint8Array,
  at: number,
  limit: number,
  value: object,
  keys: number,
  position: number,
  site: CaptureSite,
): number {
  try {
    // Whose keys the walk has listed is no Proxy.
    if (keys < 0 && isProxy(value)) {
      bytes[at] = ShapeTag.proxy
      return at + 1
    }
    const prototype = getPrototypeOf(value) as object | null
    if (prototype === ObjectPrototype) return counted(bytes, at, value, keys, position, site, ShapeTag.object)
    if (prototype === ArrayPrototype && isArray(value)) return sized(bytes, at, ShapeTag.array, value.length)
    return specialEntry(bytes, at, limit, value, prototypeInfo(value, prototype), keys, position, site)
  } catch {
    // Not what its prototype says, or a module whose bindings are not initialized.
    bytes[at] = ShapeTag.uncountedObject
    return at + 1
  }
}

function specialEntry(
  bytes: Uint8Array,
  at: number,
  limit: number,
  value: object,
  info: PrototypeInfo,
  keys: number,
  position: number,
  site: CaptureSite,
): number {
  const { kind, nameBytes } = info
  switch (kind) {
    case 'array':
      return isArray(value)
        ? sized(bytes, at, ShapeTag.array, value.length)
        : instance(bytes, at, limit, value, nameBytes, keys, position, site)
    case 'map':
      return named(
        bytes,
        sized(bytes, at, ShapeTag.map, mapSize(value as Map<unknown, unknown>)),
        limit,
        null,
      )
    case 'set':
      return named(bytes, sized(bytes, at, ShapeTag.set, setSize(value as Set<unknown>)), limit, null)
    case 'view':
      return isArrayBufferView(value)
        ? named(bytes, sized(bytes, at, ShapeTag.view, viewLength(value)), limit, nameBytes)
        : instance(bytes, at, limit, value, nameBytes, keys, position, site)
    case 'buffer':
      return named(bytes, sized(bytes, at, ShapeTag.view, bufferLength(value)), limit, nameBytes)
    case 'params':
      return named(bytes, sized(bytes, at, ShapeTag.view, paramsSize(value)), limit, nameBytes)
    case 'blob':
      return named(bytes, sized(bytes, at, ShapeTag.view, blobSize(value)), limit, nameBytes)
    case 'date':
      bytes[at] = isDate(value) ? ShapeTag.date : ShapeTag.uncountedObject
      return at + 1
    case 'regexp':
      bytes[at] = isRegExp(value) ? ShapeTag.regexp : ShapeTag.uncountedObject
      return at + 1
    case 'error':
      bytes[at] = ShapeTag.error
      return named(bytes, at + 1, limit, nameBytes)
    case 'url':
    case 'boxed':
    case 'global':
    case 'opaque':
      bytes[at] = ShapeTag.opaque
      return named(bytes, at + 1, limit, nameBytes)
    case 'plain':
      return counted(bytes, at, value, keys, position, site, ShapeTag.object)
    case 'instance':
      return instance(bytes, at, limit, value, nameBytes, keys, position, site)
  }
}

function instance(
  bytes: Uint8Array,
  at: number,
  limit: number,
  value: object,
  nameBytes: Uint8Array,
  keys: number,
  position: number,
  site: CaptureSite,
): number {
  const isNameless = typedArrayLength(nameBytes) === 0
  const tag = isNameless ? ShapeTag.object : ShapeTag.instance
  const next = counted(bytes, at, value, keys, position, site, tag)
  return isNameless ? next : named(bytes, next, limit, nameBytes)
}

/** Tag and own keys: from the walk, which has listed them, else counted, unless that is known to be expensive here. */
function counted(
  bytes: Uint8Array,
  at: number,
  value: object,
  keys: number,
  position: number,
  site: CaptureSite,
  tag: typeof ShapeTag.object | typeof ShapeTag.instance,
): number {
  let count = keys
  if (count < 0) {
    if (setHas(site.costly, position)) {
      bytes[at] = tag + 1
      return at + 1
    }
    count = ownKeys(value).length
    if (count > COSTLY_KEYS) setAdd(site.costly, position)
  }
  return sized(bytes, at, tag, count)
}

function sized(bytes: Uint8Array, at: number, tag: ShapeTag, size: number): number {
  bytes[at] = tag
  if (size < 0x80) {
    bytes[at + 1] = size
    return at + 2
  }
  return writeVarint(bytes, at + 1, size)
}

/** Appends a class name; `null`: the tag has none. -1: no room. */
function named(bytes: Uint8Array, at: number, limit: number, name: Uint8Array | null): number {
  if (name === null) return at
  const length = typedArrayLength(name)
  if (at + 1 + length > limit) return -1
  bytes[at] = length
  for (let i = 0; i < length; i++) bytes[at + 1 + i] = name[i] as number
  return at + 1 + length
}

function closeExtension(bytes: Uint8Array, at: number, end: number): number {
  const length = end - at - EXT_8_HEADER_BYTES
  if (length <= 0xff) {
    bytes[at] = 0xc7
    bytes[at + 1] = length
    bytes[at + 2] = SHAPE
    return end
  }
  copyWithin(bytes, at + EXT_8_HEADER_BYTES + 1, at + EXT_8_HEADER_BYTES, end)
  bytes[at] = 0xc8
  bytes[at + 1] = length >>> 8
  bytes[at + 2] = length & 0xff
  bytes[at + 3] = Ext.shape
  return end + 1
}
