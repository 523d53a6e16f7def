import {
  CELLS_PER_CALL,
  LaneF64,
  LaneI32,
  OPEN_STACK_CALLS,
  OpenCell,
  openCallsAt,
  PENDING_SLOTS,
  SCRATCH_BYTES,
  SLOT_ARGS_BYTES,
} from '../queue/layout.js'
import type { Transcoder } from '../serialize/transcode.js'
import { BLOCK_BYTES, Block, HEADER_BYTES } from '../totals/layout.js'
import type { LaneView } from './lane.js'

/** Calls of the stack that one look reads from its outer and from its inner end. */
export const OUTERMOST = 32
export const INNERMOST = 32
/** Pending calls that one look reads: of more the oldest, which may be stuck, and the newest, which show what goes on. */
export const OLDEST_PENDING = 96
export const NEWEST_PENDING = 96
/** No group of arguments is larger. */
const MAX_ARGS_BYTES = 32 * 1024
const SIZE_BYTES = 4
const NIL = 0xc0

/** A monitored call that has begun and not ended. */
export interface OpenCall {
  readonly call: number
  /** Number of the call site in the totals of its thread. */
  readonly site: number
  /** Milliseconds of its thread's clock; `< 0`: it is not timed. */
  readonly startMs: number
  readonly trace: number
  /** 0 = none. */
  readonly parent: number
  /** Place on the stack, 0 outermost; `null`: it has returned a promise, a thenable or a generator. */
  readonly depth: number | null
  /** JSON text; `null`: not captured, not asked for, or gone. */
  readonly args: string | null
  readonly shape: string | null
}

/** Numbers between which calls are not read; orders `calls`. */
function endsOf(calls: Float64Array): [old: number, young: number] {
  if (calls.length <= OLDEST_PENDING + NEWEST_PENDING) return [0, 0]
  calls.sort()
  return [calls[OLDEST_PENDING - 1], calls[calls.length - NEWEST_PENDING]]
}

/** Whether the arguments of a call are wanted; those known already need not be read again. */
export type WantsArguments = (call: number) => boolean

interface Captured {
  readonly args: string | null
  readonly shape: string | null
}
const NOTHING: Captured = { args: null, shape: null }

/**
 * Looks at the open calls of a thread while that thread goes on. There is no lock: a call is copied, then it is asked
 * whether it is still open, and then it is compared with the copy; what was torn is thrown away. Call numbers are
 * never used again, so a place that was given to another call does not look the same.
 */
export class OpenCallsView {
  readonly #lane: Pick<LaneView, 'i32' | 'f64' | 'bytes' | 'siteCount'>
  readonly #counters: Uint32Array
  readonly #transcoder: Transcoder
  readonly #stack: Float64Array
  readonly #slots: Float64Array
  readonly #at: ReturnType<typeof openCallsAt>
  readonly #u32: Uint32Array
  /** The numbers of pending calls while they are ordered; its memory is taken when it is first written. */
  readonly #calls = new Float64Array(PENDING_SLOTS)

  constructor(
    lane: Pick<LaneView, 'i32' | 'f64' | 'bytes' | 'totals' | 'siteCount' | 'ringBytes'>,
    transcoder: Transcoder,
  ) {
    const memory = lane.bytes.buffer
    this.#lane = lane
    this.#counters = new Uint32Array(lane.totals)
    this.#transcoder = transcoder
    this.#at = openCallsAt(lane.ringBytes)
    this.#stack = new Float64Array(memory, this.#at.stack, OPEN_STACK_CALLS * CELLS_PER_CALL)
    this.#slots = new Float64Array(memory, this.#at.slots, PENDING_SLOTS * CELLS_PER_CALL)
    this.#u32 = new Uint32Array(memory)
  }

  /** Calls that have begun, have not ended and still can, by the exact counters: also those that are not listed. */
  get open(): number {
    let open = -this.#lane.f64[LaneF64.UNENDED]
    const sites = this.#lane.siteCount
    for (let site = 0; site < sites; site++) {
      const word = (HEADER_BYTES + site * BLOCK_BYTES) >>> 2
      // In this order: a call that begins and ends meanwhile must not count as less than none.
      const ended = this.#counters[word]
      open += (this.#counters[word + (Block.BEGUN >>> 2)] - ended) | 0
    }
    return Math.max(0, open)
  }

  /** Calls that can be listed: those on the stack, outermost first, then pending ones, the oldest and the newest. */
  look(wants: WantsArguments): OpenCall[] {
    const pending = new Map(this.#pending(wants).map(call => [call.call, call]))
    const stack = this.stack(wants).map(call => {
      // A generator that works on a step stands on the stack, and its arguments in its slot.
      const slot = pending.get(call.call)
      pending.delete(call.call)
      return slot === undefined ? call : { ...slot, depth: call.depth }
    })
    return [...stack, ...pending.values()]
  }

  /** Calls on the thread's stack, outermost first; from a deep one the two ends. None while it is deeper than is shared. */
  stack(wants: WantsArguments): OpenCall[] {
    const { i32 } = this.#lane
    const depth = Math.min(Atomics.load(i32, LaneI32.OPEN_DEPTH), OPEN_STACK_CALLS)
    const found: OpenCall[] = []
    for (let at = 0; at < depth; at++) {
      if (at === OUTERMOST && depth > OUTERMOST + INNERMOST) at = depth - INNERMOST
      const here = (): boolean =>
        Atomics.load(i32, LaneI32.OPEN_DEPTH) > at && Atomics.load(i32, LaneI32.OPEN_PRIVATE) === 0
      const call = this.#read(this.#stack, at * CELLS_PER_CALL, at, here, wants)
      if (call !== null) found.push(call)
    }
    return found
  }

  #pending(wants: WantsArguments): OpenCall[] {
    const slots = this.#slots
    const end = Math.min(Atomics.load(this.#lane.i32, LaneI32.SLOTS_USED), PENDING_SLOTS) * CELLS_PER_CALL
    const calls = this.#calls
    let count = 0
    for (let cell = 0; cell < end; cell += CELLS_PER_CALL) {
      const call = slots[cell + OpenCell.CALL]
      if (call !== 0) calls[count++] = call
    }
    if (count === 0) return []
    // A thread counts its calls upwards.
    const [old, young] = endsOf(calls.subarray(0, count))
    const found: OpenCall[] = []
    for (let cell = 0; cell < end; cell += CELLS_PER_CALL) {
      const number = slots[cell + OpenCell.CALL]
      if (number === 0 || (number > old && number < young)) continue
      const here = (): boolean => slots[cell + OpenCell.CALL] === number
      const call = this.#read(slots, cell, null, here, wants)
      if (call !== null) found.push(call)
    }
    return found.sort((a, b) => a.call - b.call)
  }

  /** @param isOpen asked after the call was copied and before it is compared */
  #read(
    cells: Float64Array,
    cell: number,
    depth: number | null,
    isOpen: () => boolean,
    wants: WantsArguments,
  ): OpenCall | null {
    const copy = cells.slice(cell, cell + CELLS_PER_CALL)
    const call = copy[OpenCell.CALL]
    const site = copy[OpenCell.SITE]
    const mark = copy[OpenCell.MARK]
    if (!(Number.isSafeInteger(call) && call > 0 && site >= 0 && site < this.#lane.siteCount)) return null
    const bytes = mark !== -1 && wants(call) ? this.#argumentBytes(mark) : null
    if (!isOpen()) return null
    for (let i = 0; i < CELLS_PER_CALL; i++) if (cells[cell + i] !== copy[i]) return null
    return {
      call,
      site,
      startMs: copy[OpenCell.START],
      trace: copy[OpenCell.TRACE],
      parent: copy[OpenCell.PARENT],
      depth,
      ...(bytes === null ? NOTHING : this.#captured(bytes)),
    }
  }

  /** A copy, which nobody writes into while it is read. */
  #argumentBytes(mark: number): Uint8Array | null {
    const { stack, args, end } = this.#at
    if (mark >= args && mark < end) {
      const size = Math.min(this.#u32[mark >>> 2], SLOT_ARGS_BYTES - SIZE_BYTES)
      return this.#lane.bytes.slice(mark + SIZE_BYTES, mark + SIZE_BYTES + size)
    }
    if (mark < stack - SCRATCH_BYTES || mark >= stack) return null
    return this.#lane.bytes.slice(mark, Math.min(mark + MAX_ARGS_BYTES, stack))
  }

  #captured(bytes: Uint8Array): Captured {
    try {
      this.#transcoder.reset()
      const args = this.#json(bytes, 0)
      const shape = this.#json(bytes, args.next)
      return { args: args.text, shape: shape.text }
    } catch {
      return NOTHING
    }
  }

  #json(bytes: Uint8Array, at: number): { text: string | null; next: number } {
    if (bytes[at] === NIL) return { text: null, next: at + 1 }
    const transcoder = this.#transcoder
    const next = transcoder.value(bytes, at, bytes.length)
    const { buffer, start, length } = transcoder
    return { text: buffer.toString('utf8', start, start + length), next }
  }
}
