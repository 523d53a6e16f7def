import { asIntN, getOwnPropertyDescriptor, isArray, isProxy, min, ownKeys } from './intrinsics.js'
import { type Cut, Cut as Reason, Word } from './markers.js'
import { MARKER_TEXT_UNITS } from './msgpack-writer.js'
import { ownData } from './own-data.js'
import { errorMessage, errorType, writeItem } from './render-error.js'
import { typeText } from './shapes.js'
import {
  asError,
  hasMore,
  isObject,
  isReadable,
  isShownElsewhere,
  OWN_FIELDS_SHOWN_ELSEWHERE,
  stackOf,
  thrownType,
} from './thrown.js'
import type { Walk } from './walk.js'

/** Units of the message in a header-only record. */
const HEADER_MESSAGE_UNITS = 255
/** A message may be longer than other strings by this factor: it is what one reads first. */
const MESSAGE_FACTOR = 4
/** Bytes kept for the details when a long stack would take all the room. */
const DETAILS_BYTES = 512
const DETAILS_SHARE = 0.25

/** `{type, message}` of whatever was thrown; the stack is not touched. `false` when even that does not fit. */
export function writeErrorHeader(walk: Walk, thrown: unknown): boolean {
  const { at, limit } = walk
  if (!(walk.openMap(2) && writeSummary(walk, thrown, HEADER_MESSAGE_UNITS))) return walk.undo(at, limit)
  walk.limit = limit
  return true
}

/** `{type, message, stack, details?}` of whatever was thrown. */
export function writeErrorRecord(walk: Walk, thrown: unknown): boolean {
  const error = asError(thrown)
  // First of all: formatting a stack may run `Error.prepareStackTrace`, the one piece of application code in here.
  const stack = error === null ? undefined : stackOf(error)
  const { at, limit } = walk
  const headerAt = at
  const hasDetails = error === null ? isObject(thrown) : hasMore(error)
  const planned = hasDetails ? 4 : 3
  const messageUnits = min(walk.limits.stackLength, walk.limits.stringLength * MESSAGE_FACTOR)
  if (!(walk.openMap(planned) && writeSummary(walk, thrown, messageUnits))) return walk.undo(at, limit)

  const inner = walk.limit
  if (hasDetails) walk.limit -= min(DETAILS_BYTES, ((inner - walk.at) * DETAILS_SHARE) | 0)
  let entries = 2
  if (entryFits(walk, 'stack', () => writeStack(walk, stack))) {
    entries++
  }
  walk.limit = inner
  if (hasDetails) {
    const write = () => (error === null ? walk.value(thrown) : writeDetails(walk, error, 0))
    if (entryFits(walk, 'details', write)) entries++
  }
  walk.limit = limit
  if (entries < planned) {
    walk.restOfMap(Reason.bytes, planned - entries)
    entries++
  }
  walk.closeMap(headerAt, planned, entries)
  return true
}

function writeStack(walk: Walk, stack: string | null | undefined): boolean {
  if (stack === undefined) return walk.nil()
  return stack === null ? walk.word(Word.getter) : walk.stack(stack, walk.limits.stackLength)
}

function entryFits(walk: Walk, key: string, write: () => boolean): boolean {
  const { at, limit, level } = walk
  try {
    if (walk.ascii(key) && write()) return true
  } catch {
    // One odd field must not cost the whole record of an error.
    while (walk.level > level) walk.leave()
    walk.undo(at, limit)
    return walk.ascii(key) && walk.word(Word.uncapturable)
  }
  return walk.undo(at, limit)
}

function writeSummary(walk: Walk, thrown: unknown, messageUnits: number): boolean {
  const error = asError(thrown)
  if (error !== null) {
    return (
      walk.ascii('type') &&
      walk.text(errorType(error), MARKER_TEXT_UNITS) &&
      walk.ascii('message') &&
      walk.text(errorMessage(error), messageUnits)
    )
  }
  return (
    walk.ascii('type') &&
    walk.text(thrownType(thrown), MARKER_TEXT_UNITS) &&
    walk.ascii('message') &&
    writeThrownMessage(walk, thrown, messageUnits)
  )
}

/** Of an object that is no error, its own `message`; of a primitive, its text. Always a string, as the column is. */
function writeThrownMessage(walk: Walk, thrown: unknown, messageUnits: number): boolean {
  switch (typeof thrown) {
    case 'string':
      return walk.text(thrown, messageUnits)
    case 'number':
    case 'boolean':
    case 'undefined':
      return walk.text(`${thrown}`, messageUnits)
    case 'bigint':
      return asIntN(1024, thrown) === thrown ? walk.text(`${thrown}n`, messageUnits) : walk.bigint(thrown)
    case 'symbol':
    case 'function':
      return walk.value(thrown)
    case 'object':
      break
  }
  const message = isReadable(thrown) ? ownData(thrown, 'message') : undefined
  if (typeof message === 'string') return walk.text(message, messageUnits)
  return walk.label(Reason.none, typeText(thrown, false, walk))
}

/** `{…own fields, cause?, errors?}`. */
function writeDetails(walk: Walk, error: object, causesAbove: number): boolean {
  const keys = ownKeys(error)
  const shown = min(keys.length, walk.limits.fields + OWN_FIELDS_SHOWN_ELSEWHERE.length)
  return writeMap(walk, error, shown + 5, entry => {
    for (let i = 0; i < shown; i++) {
      const key = keys[i] as string
      if (!isShownElsewhere(key) && !entry(() => walk.field(error, key))) return keys.length - i
    }
    const links = writeLinks(walk, error, causesAbove, entry)
    return links === 0 ? keys.length - shown : links
  })
}

type Entry = (write: () => boolean) => boolean

/** What `using` throws when the block and the disposal have both failed keeps the two where no listing shows them. */
const SUPPRESSED_LINKS = ['error', 'suppressed'] as const

/** Cause, aggregated and suppressed errors; returns how many entries did not fit. */
function writeLinks(walk: Walk, error: object, causesAbove: number, entry: Entry): number {
  const cause = ownData(error, 'cause')
  if (cause !== undefined && !entry(() => walk.ascii('cause') && writeCause(walk, cause, causesAbove + 1)))
    return 1
  if (errorType(error) === 'SuppressedError') {
    for (let i = 0; i < SUPPRESSED_LINKS.length; i++) {
      const key = SUPPRESSED_LINKS[i] as string
      const linked = ownData(error, key)
      if (linked === undefined || getOwnPropertyDescriptor(error, key)?.enumerable === true) continue
      if (!entry(() => walk.ascii(key) && writeLinked(walk, linked, causesAbove + 1))) return 1
    }
  }
  const errors = ownData(error, 'errors')
  if (errors === undefined) return 0
  return entry(() => walk.ascii('errors') && writeErrors(walk, errors, causesAbove + 1)) ? 0 : 1
}

function writeCause(walk: Walk, cause: unknown, causes: number): boolean {
  return walk.isSecretKey('cause') ? walk.hidden(cause) : writeLinked(walk, cause, causes)
}

function writeErrors(walk: Walk, errors: unknown, causesAbove: number): boolean {
  if (walk.isSecretKey('errors')) return walk.hidden(errors)
  if (typeof errors !== 'object' || errors === null || isProxy(errors) || !isArray(errors))
    return walk.value(errors)
  const total = errors.length
  const shown = min(total, walk.limits.causes)
  const { at, limit } = walk
  const planned = shown + (total > shown ? 1 : 0)
  if (!walk.openArray(planned)) return false
  let done = 0
  let reason: Cut = total > shown ? Reason.items : Reason.none
  for (; done < shown; done++) {
    if (!writeItem(walk, errors, done, value => writeLinked(walk, value, causesAbove))) {
      reason = Reason.bytes
      break
    }
  }
  walk.limit = limit
  if (reason !== Reason.none) walk.marker(reason, total - done, '')
  walk.closeArray(at, planned, done + (reason === Reason.none ? 0 : 1))
  return true
}

/** An error below another one: `{@class, message, …details}`, without its stack. */
function writeLinked(walk: Walk, linked: unknown, causes: number): boolean {
  const error = asError(linked)
  if (error === null) return walk.value(linked)
  if (walk.isAncestor(error)) return walk.word(Word.circular)
  if (causes > walk.limits.causes) return walk.label(Reason.depth, errorType(error))
  const keys = ownKeys(error)
  const shown = min(keys.length, walk.limits.fields)
  return writeMap(walk, error, shown + 7, entry => {
    if (!entry(() => walk.classEntry(errorType(error)))) return 1
    if (!entry(() => walk.ascii('message') && walk.text(errorMessage(error), walk.limits.stringLength)))
      return 1
    for (let i = 0; i < shown; i++) {
      const key = keys[i] as string
      if (!isShownElsewhere(key) && !entry(() => walk.field(error, key))) return shown - i
    }
    const links = writeLinks(walk, error, causes, entry)
    return links === 0 ? keys.length - shown : links
  })
}

/** A map whose entries are counted as they are written; `write` returns how many were left out. */
function writeMap(walk: Walk, owner: object, planned: number, write: (entry: Entry) => number): boolean {
  const { at, limit } = walk
  if (!walk.openMap(planned)) return false
  walk.enter(owner)
  let entries = 0
  let reason: Cut = Reason.fields
  const left = write(body => {
    const entryAt = walk.at
    const inner = walk.limit
    if (walk.nodes <= 0) {
      reason = Reason.nodes
      return false
    }
    walk.nodes--
    if (!body()) {
      reason = Reason.bytes
      return walk.undo(entryAt, inner)
    }
    entries++
    return true
  })
  walk.leave()
  walk.limit = limit
  if (left > 0) {
    walk.restOfMap(reason, left)
    entries++
  }
  walk.closeMap(at, planned, entries)
  return true
}
