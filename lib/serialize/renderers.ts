import {
  DomExceptionPrototype,
  dateTime,
  domExceptionMessage,
  domExceptionName,
  getPrototypeOf,
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
  nextValue,
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
import { ownData, type PrototypeInfo, prototypeInfo } from './kinds.js'
import { type Cut, Cut as Reason, SILENT, Word } from './markers.js'
import { bufferLength, dimensionsOf, viewShape } from './shapes.js'
import type { Walk } from './walk.js'

const MAX_CHAIN = 64

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
    case 'opaque':
      return walk.label(Reason.none, className || 'Object')
    case 'instance':
      return renderInstance(walk, value, className)
  }
}

function renderInstance(walk: Walk, value: object, className: string): boolean {
  const dimensions = dimensionsOf(value)
  if (dimensions === '') return walk.fields(value, className)
  return walk.label(Reason.items | SILENT, `${className || 'Table'} ${dimensions}`)
}

function renderDate(walk: Walk, value: unknown): boolean {
  const time = dateTime(value)
  // Invalid: `time` is NaN.
  return time - time === 0 ? walk.ascii(isoText(value)) : walk.word(Word.invalidDate)
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
    const [key, value] = nextEntry(entries).value as [unknown, unknown]
    return renderEntry(walk, key, value)
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

/** An error among the values: what it is and says. Its stack is recorded where it is thrown. */
export function renderError(walk: Walk, error: object): boolean {
  if (walk.isAncestor(error)) return walk.word(Word.circular)
  if (walk.isTooDeep()) return walk.label(Reason.depth, errorType(error))
  const { at, limit } = walk
  const message = errorMessage(error)
  const code = ownData(error, 'code')
  const cause = ownData(error, 'cause')
  const hasCode = typeof code === 'string' || typeof code === 'number'
  const entries = 2 + (hasCode ? 1 : 0) + (cause === undefined ? 0 : 1)
  walk.nodes--
  if (!walk.openMap(entries)) return walk.undo(at, limit)
  walk.enter(error)
  const fits =
    walk.classEntry(errorType(error)) &&
    walk.ascii('message') &&
    walk.text(message, walk.limits.stringLength) &&
    (!hasCode || (walk.ascii('code') && walk.value(code))) &&
    (cause === undefined || (walk.ascii('cause') && walk.value(cause)))
  walk.leave()
  if (!fits) return walk.undo(at, limit)
  walk.limit = limit
  return true
}

/** Own `name`, else the class, as far as they are plain data; `Error` when neither is. */
export function errorType(error: object): string {
  const own = ownData(error, 'name')
  if (typeof own === 'string' && own !== '') return own
  const prototype = getPrototypeOf(error) as object | null
  if (prototype === DomExceptionPrototype) return platformText(domExceptionName, error) || 'DOMException'
  return prototypeInfo(error, prototype).className || 'Error'
}

/** `message` of the error or of its chain, as far as it is plain data. */
export function errorMessage(error: object): string {
  let at: object | null = error
  for (let i = 0; at !== null && i < MAX_CHAIN && !isProxy(at); i++) {
    if (at === DomExceptionPrototype) return platformText(domExceptionMessage, error)
    const message = ownData(at, 'message')
    if (typeof message === 'string') return message
    at = getPrototypeOf(at) as object | null
  }
  return ''
}

function platformText(read: (error: unknown) => string, error: object): string {
  try {
    return read(error)
  } catch {
    // Made with Object.create: has the prototype of a DOMException and nothing behind it.
    return ''
  }
}
