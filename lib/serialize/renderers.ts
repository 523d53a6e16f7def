import { dimensionsOf } from './dimensions.js'
import {
  blobSize,
  dateTime,
  isAnyArrayBuffer,
  isArray,
  isArrayBufferView,
  isBigIntObject,
  isBooleanObject,
  isDate,
  isMap,
  isNumberObject,
  isoText,
  isProxy,
  isRegExp,
  isSet,
  isStringObject,
  isSymbolObject,
  mapEntries,
  mapSize,
  min,
  nextEntry,
  nextParam,
  nextValue,
  paramsEntries,
  paramsSize,
  regexpFlags,
  regexpSource,
  setSize,
  setValues,
  unboxBigInt,
  unboxBoolean,
  unboxNumber,
  unboxString,
  unboxSymbol,
  urlHref,
} from './intrinsics.js'
import { hasFourDigitYear } from './iso-date.js'
import { type PrototypeInfo, prototypeInfo } from './kinds.js'
import { type Cut, Cut as Reason, SILENT, Word } from './markers.js'
import { hiddenNameOf } from './opaque-facts.js'
import { chainData, ownData, ownSymbolData } from './own-data.js'
import { renderError } from './render-error.js'
import { bufferLength, viewShape } from './shapes.js'
import type { Walk } from './walk.js'

/** Renders an object that is neither plain nor a plain list. What goes wrong in here costs this one value only. */
export function renderSpecial(walk: Walk, value: object, prototype: object | null): boolean {
  const { at, limit, level, path } = walk
  try {
    return render(walk, value, prototypeInfo(value, prototype))
  } catch {
    // A brand check that lied, a module whose bindings are not initialized, the end of the caller's stack.
    while (walk.level > level) walk.leave()
    walk.path = path
    walk.undo(at, limit)
    return walk.word(Word.uncapturable)
  }
}

function render(walk: Walk, value: object, info: PrototypeInfo): boolean {
  const { kind, className } = info
  switch (kind) {
    case 'plain':
      return walk.fields(value, '')
    case 'array':
      return isArray(value) ? walk.list(value) : walk.fields(value, className)
    case 'date':
      return isDate(value) ? renderDate(walk, value) : walk.fields(value, className)
    case 'map':
      return isMap(value) ? renderMap(walk, value, className || 'Map') : walk.fields(value, className)
    case 'set':
      return isSet(value) ? renderSet(walk, value, className || 'Set') : walk.fields(value, className)
    case 'regexp':
      return isRegExp(value)
        ? walk.label(Reason.none, `RegExp /${regexpSource(value)}/${regexpFlags(value)}`)
        : walk.fields(value, className)
    case 'view':
      return isArrayBufferView(value)
        ? walk.label(Reason.items | SILENT, viewShape(value, className))
        : walk.fields(value, className)
    case 'buffer':
      return isAnyArrayBuffer(value)
        ? walk.label(Reason.items | SILENT, `${className || 'ArrayBuffer'} ${bufferLength(value)}`)
        : walk.fields(value, className)
    case 'url':
      return walk.text(urlHref(value), walk.limits.stringLength)
    case 'boxed':
      return renderBoxed(walk, value, className)
    case 'error':
      return renderError(walk, value)
    case 'params':
      return renderParams(walk, value as URLSearchParams, className)
    case 'blob':
      return walk.label(Reason.items | SILENT, `${className || 'Blob'} ${blobSize(value)}`)
    case 'global':
      return walk.label(Reason.none, className)
    case 'opaque':
      return renderOpaque(walk, value, info)
    case 'instance':
      return renderInstance(walk, value, className)
  }
}

function renderInstance(walk: Walk, value: object, className: string): boolean {
  const dimensions = dimensionsOf(value)
  if (dimensions === '') return walk.fields(value, className)
  return walk.label(Reason.items | SILENT, `${className || 'Table'} ${dimensions}`)
}

/** By its type, with the few fields of it that are known to be harmless and are plain data. */
function renderOpaque(walk: Walk, value: object, { className, facts }: PrototypeInfo): boolean {
  if (facts.length === 0 || walk.isTooDeep()) return walk.label(Reason.none, className || 'Object')
  const { at, limit } = walk
  const planned = 1 + facts.length
  if (!walk.openMap(planned)) return false
  walk.enter(value)
  let entries = 1
  let fits = walk.classEntry(className)
  for (let i = 0; fits && i < facts.length; i++) {
    const name = facts[i] as string
    const fact = factOf(value, name)
    if (fact === undefined) continue
    fits = walk.namedEntry(name, fact)
    entries++
  }
  walk.leave()
  if (!fits || entries === 1) walk.undo(at, limit)
  if (!fits) return false
  if (entries === 1) return walk.label(Reason.none, className)
  walk.limit = limit
  walk.closeMap(at, planned, entries)
  return true
}

function factOf(value: object, name: string): unknown {
  if (name === 'headers') {
    const raw = ownData(value, 'rawHeaders')
    const isList = typeof raw === 'object' && raw !== null && !isProxy(raw) && isArray(raw)
    return isList && raw.length > 0 ? raw.length >> 1 : undefined
  }
  const fact = chainData(value, name) ?? ownSymbolData(value, hiddenNameOf(name))
  const isFact =
    typeof fact === 'number' || typeof fact === 'boolean' || (typeof fact === 'string' && fact !== '')
  return isFact ? fact : undefined
}

function renderDate(walk: Walk, value: unknown): boolean {
  const time = dateTime(value)
  // Invalid: `time` is NaN.
  if (time - time !== 0) return walk.word(Word.invalidDate)
  return hasFourDigitYear(time) ? walk.isoDate(time) : walk.ascii(isoText(value))
}

function renderBoxed(walk: Walk, value: object, className: string): boolean {
  if (isNumberObject(value)) return walk.value(unboxNumber(value))
  if (isStringObject(value)) return walk.value(unboxString(value))
  if (isBooleanObject(value)) return walk.value(unboxBoolean(value))
  if (isBigIntObject(value)) return walk.value(unboxBigInt(value))
  if (isSymbolObject(value)) return walk.value(unboxSymbol(value))
  return walk.fields(value, className)
}

function renderMap(walk: Walk, map: ReadonlyMap<unknown, unknown>, className: string): boolean {
  const size = mapSize(map)
  if (walk.isAncestor(map)) return walk.word(Word.circular)
  if (size > walk.limits.listItems) return walk.label(Reason.items | SILENT, `${className} ${size}`)
  if (walk.isTooDeep()) return walk.label(Reason.depth, `${className} ${size}`)
  const { at, limit } = walk
  if (!openCollection(walk, className, size, 'entries')) return walk.undo(at, limit)
  const entries = mapEntries(map)
  const fits = members(walk, map, size, () => {
    // Not taken apart as a list, here and below, which would ask for the iterator of arrays.
    const entry = nextEntry(entries).value as [unknown, unknown]
    return renderEntry(walk, entry[0], entry[1])
  })
  if (!fits) return walk.undo(at, limit)
  walk.limit = limit
  return true
}

/** Like a Map: its names are keys. */
function renderParams(walk: Walk, params: URLSearchParams, className: string): boolean {
  const size = paramsSize(params)
  if (size > walk.limits.listItems) return walk.label(Reason.items | SILENT, `${className} ${size}`)
  if (walk.isTooDeep()) return walk.label(Reason.depth, `${className} ${size}`)
  const { at, limit } = walk
  if (!openCollection(walk, className, size, 'entries')) return walk.undo(at, limit)
  const entries = paramsEntries(params)
  const fits = members(walk, params, size, () => {
    const entry = nextParam(entries).value as [string, string]
    return renderEntry(walk, entry[0], entry[1])
  })
  if (!fits) return walk.undo(at, limit)
  walk.limit = limit
  return true
}

function renderSet(walk: Walk, set: ReadonlySet<unknown>, className: string): boolean {
  const size = setSize(set)
  if (walk.isAncestor(set)) return walk.word(Word.circular)
  if (size > walk.limits.listItems) return walk.label(Reason.items | SILENT, `${className} ${size}`)
  if (walk.isTooDeep()) return walk.label(Reason.depth, `${className} ${size}`)
  const { at, limit } = walk
  if (!openCollection(walk, className, size, 'values')) return walk.undo(at, limit)
  const values = setValues(set)
  const fits = members(walk, set, size, () => walk.value(nextValue(values).value))
  if (!fits) return walk.undo(at, limit)
  walk.limit = limit
  return true
}

function openCollection(walk: Walk, className: string, size: number, listKey: string): boolean {
  return (
    walk.openMap(3) &&
    walk.classEntry(className) &&
    walk.ascii('size') &&
    walk.number(size) &&
    walk.ascii(listKey)
  )
}

/** The members of a map or set as a list that may be cut. */
function members(walk: Walk, collection: object, total: number, next: () => boolean): boolean {
  const shown = min(total, walk.limits.items)
  const planned = shown + (total > shown ? 1 : 0)
  const headerAt = walk.at
  const outer = walk.limit
  if (!walk.openArray(planned)) return false
  walk.enter(collection)
  let reason: Cut = total > shown ? Reason.items : Reason.none
  let done = 0
  for (; done < shown; done++) {
    if (walk.nodes <= 0) {
      reason = Reason.nodes
      break
    }
    walk.nodes--
    if (!next()) {
      reason = Reason.bytes
      break
    }
  }
  walk.leave()
  walk.limit = outer
  if (reason !== Reason.none) walk.marker(reason, total - done, '')
  walk.closeArray(headerAt, planned, done + (reason === Reason.none ? 0 : 1))
  return true
}

function renderEntry(walk: Walk, key: unknown, value: unknown): boolean {
  const { at, limit } = walk
  const isSecret = typeof key === 'string' && walk.isSecretKey(key)
  const fits =
    walk.openArray(2) &&
    walk.value(key) &&
    (isSecret
      ? walk.hidden(value)
      : typeof key === 'string'
        ? walk.valueBelow(value, key)
        : walk.value(value))
  if (!fits) return walk.undo(at, limit)
  walk.limit = limit
  return true
}
