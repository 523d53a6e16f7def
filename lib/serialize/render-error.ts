import {
  DomExceptionPrototype,
  domExceptionMessage,
  domExceptionName,
  getOwnPropertyDescriptor,
  getPrototypeOf,
  hasOwn,
  isArray,
  isProxy,
  min,
} from './intrinsics.js'
import { prototypeInfo } from './kinds.js'
import { type Cut, Cut as Reason, Word } from './markers.js'
import { ownData } from './own-data.js'
import type { Walk } from './walk.js'

const MAX_CHAIN = 64

/** An error among the values: what it is and says. Its stack is recorded where it is thrown. */
export function renderError(walk: Walk, error: object): boolean {
  if (walk.isAncestor(error)) return walk.word(Word.circular)
  if (walk.isTooDeep()) return walk.label(Reason.depth, errorType(error))
  const { at, limit } = walk
  const code = ownData(error, 'code')
  const hasCode = typeof code === 'string' || typeof code === 'number'
  const cause = ownData(error, 'cause')
  const errors = ownData(error, 'errors')
  const entries = 2 + (hasCode ? 1 : 0) + (cause === undefined ? 0 : 1) + (errors === undefined ? 0 : 1)
  walk.nodes--
  if (!walk.openMap(entries)) return walk.undo(at, limit)
  walk.enter(error)
  const fits =
    walk.classEntry(errorType(error)) &&
    walk.ascii('message') &&
    walk.text(errorMessage(error), walk.limits.stringLength) &&
    (!hasCode || walk.namedEntry('code', code)) &&
    (cause === undefined || walk.namedEntry('cause', cause)) &&
    (errors === undefined || (walk.ascii('errors') && renderErrors(walk, errors)))
  walk.leave()
  if (!fits) return walk.undo(at, limit)
  walk.limit = limit
  return true
}

/** What an AggregateError gathers, as many as causes are followed. */
function renderErrors(walk: Walk, errors: unknown): boolean {
  if (walk.isSecretKey('errors')) return walk.hidden(errors)
  if (typeof errors !== 'object' || errors === null || isProxy(errors) || !isArray(errors))
    return walk.value(errors)
  const { length: total } = errors
  const shown = min(total, walk.limits.causes)
  const { at, limit } = walk
  const planned = shown + (total > shown ? 1 : 0)
  if (!walk.openArray(planned)) return false
  let reason: Cut = total > shown ? Reason.items : Reason.none
  let done = 0
  for (; done < shown; done++) {
    if (walk.nodes <= 0) {
      reason = Reason.nodes
      break
    }
    walk.nodes--
    if (!writeItem(walk, errors, done, value => walk.value(value))) {
      reason = Reason.bytes
      break
    }
  }
  walk.limit = limit
  if (reason !== Reason.none) walk.marker(reason, total - done, '')
  walk.closeArray(at, planned, done + (reason === Reason.none ? 0 : 1))
  return true
}

/** One item of what is gathered; `write` gets its value when that is plain data. */
export function writeItem(
  walk: Walk,
  list: readonly unknown[],
  index: number,
  write: (value: unknown) => boolean,
): boolean {
  const descriptor = getOwnPropertyDescriptor(list, index)
  if (descriptor === undefined) return walk.word(Word.empty)
  return hasOwn(descriptor, 'value') ? write(descriptor.value) : walk.word(Word.getter)
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
