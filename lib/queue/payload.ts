import type { Capture } from '../serialize/capture.js'
import { SHAPE_BYTES } from '../serialize/markers.js'
import { type CallFacts, FIXARRAY_3, NIL } from './frame.js'
import { FrameFlag, REMOTE_TRACE_BYTES } from './layout.js'
import type { PendingSlots } from './pending-slots.js'
import type { ProducedSite } from './produced-site.js'
import type { Scratch } from './scratch.js'

const SHAPE_ROOM = SHAPE_BYTES
const ARRAY_3 = FIXARRAY_3
const NOTHING = NIL

/** Of a trace that was begun elsewhere: its ids, {@link REMOTE_TRACE_BYTES} long, `null` when they are not known any more. */
export type RemoteIds = (trace: number) => Uint8Array | null

/**
 * Writes what a record carries, into a frame of the ring or into the buffer of the journal. Arguments stand from
 * `argsMark` in the scratch space or a slot of pending calls, or in `heldArgs`, or are captured now from `args`.
 */
export class Payload {
  readonly #ringBytes: Uint8Array
  readonly #scratch: Scratch
  readonly #slots: PendingSlots
  readonly #capture: Capture
  readonly #groupBytes: number = 0
  readonly #remoteIds: RemoteIds

  constructor(parts: {
    /** The memory of ring and scratch space, as the caller has it. */
    ringBytes: Uint8Array
    scratch: Scratch
    slots: PendingSlots
    capture: Capture
    groupBytes: number
    remoteIds: RemoteIds
  }) {
    this.#ringBytes = parts.ringBytes
    this.#scratch = parts.scratch
    this.#slots = parts.slots
    this.#capture = parts.capture
    this.#groupBytes = parts.groupBytes
    this.#remoteIds = parts.remoteIds
  }

  /** Returns the end; -1: it could not be written. */
  writeCall(
    bytes: Uint8Array,
    at: number,
    site: ProducedSite,
    argsMark: number,
    heldArgs: Uint8Array | null,
    args: ArrayLike<unknown> | null,
    result: unknown,
  ): number {
    try {
      bytes[at] = ARRAY_3
      const after = this.#writeArgs(bytes, at + 1, site, argsMark, heldArgs, args)
      const limit = after + this.#groupBytes
      return this.#capture.writeResult(bytes, after, limit, result, site.captureResult, site)
    } catch {
      return -1
    }
  }

  /** A record must not be lost with its content: what cannot be written is left out. */
  writeError(
    bytes: Uint8Array,
    at: number,
    shrink: boolean,
    site: ProducedSite,
    argsMark: number,
    heldArgs: Uint8Array | null,
    args: ArrayLike<unknown> | null,
    thrown: unknown,
  ): number {
    try {
      bytes[at] = ARRAY_3
      const after = shrink
        ? this.#writeArgs(bytes, at + 1, site, -1, null, null)
        : this.#writeArgs(bytes, at + 1, site, argsMark, heldArgs, args)
      return this.#capture.writeError(bytes, after, bytes.length, thrown, shrink, site)
    } catch {
      return this.writeNothing(bytes, at)
    }
  }

  writeNothing(bytes: Uint8Array, at: number): number {
    bytes[at] = ARRAY_3
    bytes[at + 1] = NOTHING
    bytes[at + 2] = NOTHING
    bytes[at + 3] = NOTHING
    return at + 4
  }

  /** The ids of a trace that was begun elsewhere go behind the payload, as long as they are still known. */
  writeIds(bytes: Uint8Array, at: number, facts: CallFacts): number {
    if (facts.trace >= 0) return at
    const ids = this.#remoteIds(facts.trace)
    if (ids === null) return at
    facts.flags |= FrameFlag.remote
    bytes.set(ids, at)
    return at + REMOTE_TRACE_BYTES
  }

  #writeArgs(
    bytes: Uint8Array,
    at: number,
    site: ProducedSite,
    argsMark: number,
    heldArgs: Uint8Array | null,
    args: ArrayLike<unknown> | null,
  ): number {
    if (heldArgs !== null) {
      bytes.set(heldArgs, at)
      return at + heldArgs.byteLength
    }
    if (args !== null) {
      const end = at + this.#groupBytes + SHAPE_ROOM
      return this.#capture.writeArguments(bytes, at, end, args, site.captureArgs, site)
    }
    if (argsMark === -1) {
      bytes[at] = NOTHING
      bytes[at + 1] = NOTHING
      return at + 2
    }
    if (argsMark >= this.#slots.argsAt) return this.#slots.copyArguments(argsMark, bytes, at)
    if (bytes === this.#ringBytes) return this.#scratch.copyToFrame(argsMark, at)
    return this.#scratch.copy(argsMark, bytes, at)
  }
}
