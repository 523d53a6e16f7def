import type { CaptureMode, Limits } from '../config/options.js'
import { Learned, writeArgumentShape } from './argument-shape.js'
import { writeErrorHeader, writeErrorRecord } from './error-record.js'
import { max, min, setHas } from './intrinsics.js'
import { Cut, SHAPE_BYTES } from './markers.js'
import { CLOSING_BYTES } from './msgpack-writer.js'
import {
  PLAIN_ARGUMENTS,
  PLAIN_UNITS,
  PLAIN_VALUE_BYTES,
  writePlain,
  writePlainKey,
  writePlainShape,
} from './plain-values.js'
import type { CaptureSite } from './text-writer.js'
import { MAX_DEPTH, Walk } from './walk.js'
import { writeAt, writeList } from './walked-values.js'

export type { CaptureSite } from './text-writer.js'

/** Position of the result, in {@link CaptureSite.costly} and in the redaction options. */
export const RESULT_POSITION = -1
/** Position of what was thrown. */
export const ERROR_POSITION = -2

/** Longest string that can be asked for: three bytes a unit must fit the 16-bit length of msgpack. */
const MAX_STRING_UNITS = 16_384
/** Counts are written in 16 bits. */
const MAX_COUNT = 60_000
const NIL = 0xc0
// Here constants for the compiler, which imports are not.
const { nothing: LEARNED_NOTHING } = Learned
const NOTHING = new Int32Array(0)
/** Room in which no plain arguments are cut. */
const PLAIN_ROOM = 1 + PLAIN_ARGUMENTS * PLAIN_VALUE_BYTES + CLOSING_BYTES
const PLAIN_VALUE_ROOM = PLAIN_VALUE_BYTES
const CLOSING = CLOSING_BYTES
const plain = writePlain
const plainShape = writePlainShape
const plainKey = writePlainKey

/**
 * Writes what is captured of a call, bounded and redacted, as msgpack straight into its destination. No method
 * throws, runs code of the application (but `Error.prepareStackTrace`) or changes a value. Room for 32 bytes is
 * enough to say what was cut; with less, the value is nil.
 */
export class Capture {
  readonly #limits: Limits
  readonly #walk: Walk
  #isWalking = false
  /** So many arguments are few; -1: the limits are so narrow that any value might be cut. */
  readonly #fewArguments: number = 0
  readonly #groupBytes: number = 0
  readonly #nodes: number = 0
  /** Arguments and their shape find room in it. */
  readonly #room: number = 0
  /** Arguments that stand already before the walk begins, where they end, and how many nodes they have left. */
  #written = 0
  #writtenTo = 0
  #nodesLeft = 0

  constructor(limits: Limits) {
    this.#limits = {
      depth: min(limits.depth, MAX_DEPTH),
      fields: min(limits.fields, MAX_COUNT),
      items: min(limits.items, MAX_COUNT),
      listItems: limits.listItems,
      stringLength: min(limits.stringLength, MAX_STRING_UNITS),
      nodes: limits.nodes,
      bytes: limits.bytes,
      stackLength: min(limits.stackLength, MAX_STRING_UNITS),
      causes: min(limits.causes, MAX_DEPTH - 2),
    }
    this.#walk = new Walk(this.#limits)
    const { bytes, stringLength, items, nodes } = this.#limits
    this.#fewArguments =
      bytes < PLAIN_ROOM || stringLength < PLAIN_UNITS ? -1 : min(PLAIN_ARGUMENTS, items, nodes)
    this.#groupBytes = bytes
    this.#nodes = nodes
    this.#room = max(bytes, 3 * SHAPE_BYTES) + SHAPE_BYTES
  }

  /**
   * Writes two msgpack values at `offset`, never past `end`: the arguments as an array, and their shape
   * ({@link ShapeTag}), which is there whatever the mode. Their room is `limits.bytes` and {@link SHAPE_BYTES}; with
   * less, a quarter of it is kept for the shape. What finds no room is nil; nothing is written into less than 2 bytes.
   * @param mode `'types'`: type and size of each; `false`: nil
   * @param isContinued behind {@link tryArguments}, which was called with the same and has returned -1
   * @returns the offset after both
   */
  writeArguments(
    bytes: Uint8Array,
    offset: number,
    end: number,
    args: ArrayLike<unknown>,
    mode: CaptureMode,
    site: CaptureSite,
    isContinued = false,
  ): number {
    const room = end - offset
    if (room < 2) return offset
    if (!isContinued) {
      try {
        const after = this.tryArguments(bytes, offset, end, args, mode, site)
        if (after !== -1) return after
      } catch {
        // The stack may end in here too: what was written so far is overwritten.
        this.#written = 0
      }
    }
    const shapeRoom = max(1, min(SHAPE_BYTES, room >> 2))
    if (mode === false) {
      bytes[offset] = NIL
      return writeShape(bytes, offset + 1, end, args, NOTHING, 0, site)
    }
    const walk = this.#begin(bytes, offset, end - shapeRoom, this.#limits.bytes, site)
    let at = offset
    try {
      try {
        const written = this.#written
        if (written > 0) skipWritten(walk, written, this.#writtenTo, this.#nodesLeft)
        if (writeList(walk, args, mode, written, offset)) at = walk.at
      } catch {
        // What was written so far is overwritten.
      }
      if (at === offset) bytes[at++] = NIL
      return writeShape(bytes, at, end, args, walk.learned, walk.walked, site)
    } finally {
      this.#end(walk)
    }
  }

  /**
   * {@link writeArguments} for most calls: few arguments, nothing that depends on their places, room for all. Returns
   * the offset behind their shape, or -1 when that has to go on where this has ended. Throws at the end of the stack only.
   */
  tryArguments(
    bytes: Uint8Array,
    offset: number,
    end: number,
    args: ArrayLike<unknown>,
    mode: CaptureMode,
    site: CaptureSite,
  ): number {
    this.#written = 0
    const total = args.length
    const { redaction } = site
    if (
      mode !== true ||
      end - offset < this.#room ||
      total > this.#fewArguments ||
      // What is captured while a walk stands still.
      this.#isWalking ||
      redaction.hasPlaces
    ) {
      return -1
    }
    const walk = this.#walk
    walk.target(bytes)
    const { view } = walk
    bytes[offset] = 0x90 | total
    let at = offset + 1
    for (let i = 0; i < total; i++) {
      const value = args[i]
      const isFollowed = typeof value === 'string' && i + 1 < total
      const word = isFollowed ? redaction.recentWord(value) : null
      const next = word === null ? plain(bytes, view, at, value) : plainKey(view, at, word)
      // What follows a secret name is its value.
      if (next === -1 || (isFollowed && word === null && redaction.isSecretName(value))) {
        return this.#tryRest(bytes, offset, end, at, i, args, site)
      }
      at = next
    }
    return plainShape(bytes, at, args, walk.learned)
  }

  /** {@link tryArguments} from the first one that is not plain. Not a part of it, so that it stays small. */
  #tryRest(
    bytes: Uint8Array,
    offset: number,
    end: number,
    from: number,
    first: number,
    args: ArrayLike<unknown>,
    site: CaptureSite,
  ): number {
    const total = args.length
    const { redaction } = site
    const walk = this.#walk
    const { view, learned } = walk
    const limit = offset + this.#groupBytes - CLOSING
    let at = from
    let nodes = this.#nodes - first
    for (let i = 0; i < total; i++) learned[i] = LEARNED_NOTHING
    for (let i = first; i < total; i++) {
      const value = args[i]
      let next = -1
      if (typeof value === 'object' && value !== null) {
        next = this.#tryObject(walk, at, limit, nodes, value, i, site)
        learned[i] = walk.keysSeen
      } else if (at + PLAIN_VALUE_ROOM <= limit && nodes > 0) {
        const isFollowed = typeof value === 'string' && i + 1 < total
        // What follows a secret name is its value.
        if (!isFollowed || !redaction.isSecretName(value)) next = plain(bytes, view, at, value)
        walk.nodes = nodes - 1
      }
      if (next === -1) {
        this.#written = i
        this.#writtenTo = at
        this.#nodesLeft = nodes
        return -1
      }
      at = next
      nodes = walk.nodes
    }
    const after = plainShape(bytes, at, args, learned)
    return after === -1 ? writeShape(bytes, at, end, args, learned, total, site) : after
  }

  /** An argument or the result, in the place it has; -1: whatever has to be done about it was not done. */
  #tryObject(
    walk: Walk,
    at: number,
    limit: number,
    nodes: number,
    value: object,
    position: number,
    site: CaptureSite,
  ): number {
    if (nodes <= 0 || setHas(site.costly, position)) return -1
    walk.start(at, limit, nodes - 1, position, site)
    this.#isWalking = true
    try {
      if (walk.object(value)) return walk.at
    } catch {
      // As below.
    } finally {
      this.#isWalking = false
      walk.end()
    }
    return -1
  }

  /** Writes the returned value; the same rules, `undefined` is written as nil. */
  writeResult(
    bytes: Uint8Array,
    offset: number,
    end: number,
    value: unknown,
    mode: CaptureMode,
    site: CaptureSite,
  ): number {
    if (mode === false || value === undefined) return writeNil(bytes, offset, end)
    try {
      const after =
        typeof value === 'object' && value !== null
          ? this.#tryObjectResult(bytes, offset, end, value, mode, site)
          : this.tryResult(bytes, offset, end, value, mode, site)
      if (after !== -1) return after
    } catch {
      // As below.
    }
    const walk = this.#begin(bytes, offset, end, this.#limits.bytes, site)
    try {
      const fits = site.redaction.hidesPosition(RESULT_POSITION)
        ? walk.hidden(value)
        : writeAt(walk, RESULT_POSITION, value, mode)
      if (fits || walk.marker(Cut.bytes, 0, typeof value)) return walk.at
    } catch {
      // Fall through.
    } finally {
      this.#end(walk)
    }
    return writeNil(bytes, offset, end)
  }

  /** {@link writeResult} of a plain value; -1: it is for the walk. Throws at the end of the stack only. */
  tryResult(
    bytes: Uint8Array,
    offset: number,
    end: number,
    value: unknown,
    mode: CaptureMode,
    site: CaptureSite,
  ): number {
    if (end - offset < PLAIN_VALUE_ROOM) return -1
    if (mode === false || value === undefined) {
      bytes[offset] = NIL
      return offset + 1
    }
    if (
      mode !== true ||
      (typeof value === 'object' && value !== null) ||
      this.#fewArguments <= 0 ||
      this.#isWalking ||
      site.redaction.hasPlaces
    ) {
      return -1
    }
    const walk = this.#walk
    walk.target(bytes)
    return plain(bytes, walk.view, offset, value)
  }

  /** {@link writeResult} of an object that is no exception; -1: it is one. */
  #tryObjectResult(
    bytes: Uint8Array,
    offset: number,
    end: number,
    value: object,
    mode: CaptureMode,
    site: CaptureSite,
  ): number {
    if (mode !== true || this.#fewArguments <= 0 || this.#isWalking || site.redaction.hasPlaces) return -1
    const walk = this.#walk
    walk.target(bytes)
    // Of a result nothing is counted but what is in it.
    const limit = min(end, offset + this.#groupBytes)
    return this.#tryObject(walk, offset, limit, this.#nodes + 1, value, RESULT_POSITION, site)
  }

  /**
   * Writes what was thrown as a msgpack map `{type, message, stack, details?}`.
   * @param header only type and message, at most 255 units, without touching `stack`
   */
  writeError(
    bytes: Uint8Array,
    offset: number,
    end: number,
    thrown: unknown,
    header: boolean,
    site: CaptureSite,
  ): number {
    const walk = this.#begin(bytes, offset, end, this.#limits.bytes + this.#limits.stackLength, site)
    walk.position = ERROR_POSITION
    walk.path = site.redaction.rootOf(ERROR_POSITION)
    try {
      if (header ? writeErrorHeader(walk, thrown) : writeErrorRecord(walk, thrown)) return walk.at
    } catch {
      // Fall through.
    } finally {
      this.#end(walk)
    }
    return writeNil(bytes, offset, end)
  }

  #begin(bytes: Uint8Array, offset: number, end: number, maxBytes: number, site: CaptureSite): Walk {
    // `Error.prepareStackTrace` may call a monitored method while this walk stands still.
    const walk = this.#isWalking ? new Walk(this.#limits) : this.#walk
    this.#isWalking = true
    walk.begin(bytes, offset, min(end, offset + maxBytes), site)
    return walk
  }

  #end(walk: Walk): void {
    if (walk !== this.#walk) return
    walk.end()
    this.#isWalking = false
  }
}

/** The shape, or nil. Never throws, but at the end of the caller's stack, where its first frame does not fit. */
function writeShape(
  bytes: Uint8Array,
  at: number,
  end: number,
  args: ArrayLike<unknown>,
  learned: Int32Array,
  walked: number,
  site: CaptureSite,
): number {
  try {
    const after = writeArgumentShape(bytes, at, min(end, at + SHAPE_BYTES), args, learned, walked, site)
    if (after !== -1) return after
  } catch {
    // Nil, below.
  }
  bytes[at] = NIL
  return at + 1
}

function writeNil(bytes: Uint8Array, offset: number, end: number): number {
  if (offset >= end) return offset
  bytes[offset] = NIL
  return offset + 1
}

/** The walk goes on behind arguments that were written, and of which it has learned what there was to learn. */
function skipWritten(walk: Walk, written: number, at: number, nodes: number): void {
  walk.at = at
  walk.nodes = nodes
  walk.walked = written
}
