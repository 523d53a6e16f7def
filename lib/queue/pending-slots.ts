import {
  CELLS_PER_CALL,
  LaneF64,
  LaneI32,
  OpenCell,
  openCallsAt,
  PENDING_SLOTS,
  SLOT_ARGS_BYTES,
} from './layout.js'
import type { Scratch } from './scratch.js'

const SIZE_BYTES = 4
const SLOT_SHIFT = Math.log2(CELLS_PER_CALL)

/**
 * The shared table of calls that go on after they returned, and the thread's own list of its free slots, the last one
 * freed first. Slots are taken and given back with plain stores, and a taken one is published by its call number alone:
 * the app's stack may end in any call of a function.
 */
export class PendingSlots {
  /** The figures of all slots, {@link OpenCell}; where slot `n` begins is `n * CELLS_PER_CALL`. */
  readonly cells: Float64Array
  /** The first free slot; {@link PENDING_SLOTS}: none is free. */
  first = 0
  /** How many are taken. */
  taken = 0
  /** By free slot, the next one. */
  readonly nextFree = new Int32Array(PENDING_SLOTS)
  /** One word each of the lane memory: slots that were ever in use, and calls that found none. */
  readonly used: Int32Array
  readonly unslotted: Int32Array
  readonly #unended: Float64Array
  readonly #bytes: Uint8Array
  readonly #u32: Uint32Array
  /** Where the arguments of slot 0 stand; offsets from here on are arguments of a slot. */
  readonly argsAt: number

  constructor(memory: SharedArrayBuffer, ringBytes: number) {
    for (let slot = 0; slot < PENDING_SLOTS; slot++) this.nextFree[slot] = slot + 1
    const { slots, args } = openCallsAt(ringBytes)
    this.cells = new Float64Array(memory, slots, PENDING_SLOTS * CELLS_PER_CALL)
    this.used = new Int32Array(memory, LaneI32.SLOTS_USED * 4, 1)
    this.unslotted = new Int32Array(memory, LaneI32.UNSLOTTED * 4, 1)
    this.#unended = new Float64Array(memory, LaneF64.UNENDED * 8, 1)
    this.#bytes = new Uint8Array(memory)
    this.#u32 = new Uint32Array(memory)
    this.argsAt = args
  }

  /** Copies what was captured since `mark` to a slot that is not published yet; where it stands then, -1: too large. */
  keepArguments(slot: number, scratch: Scratch, mark: number): number {
    const bytes = scratch.bytesAt(mark)
    if (bytes > SLOT_ARGS_BYTES - SIZE_BYTES) return -1
    const at = this.argsAt + slot * SLOT_ARGS_BYTES
    this.#u32[at >>> 2] = bytes
    scratch.copy(mark, this.#bytes, at + SIZE_BYTES)
    return at
  }

  /** Copies the arguments that {@link keepArguments} put at `mark`; returns the offset behind them. */
  copyArguments(mark: number, target: Uint8Array, at: number): number {
    const from = mark + SIZE_BYTES
    const bytes = this.#u32[mark >>> 2]
    for (let i = 0; i < bytes; i++) target[at + i] = this.#bytes[from + i]
    return at + bytes
  }

  /** A call has ended; `cells` and `cell` are where its figures stand. */
  release(cells: Float64Array, cell: number): void {
    cells[cell + OpenCell.CALL] = 0
    if (cells !== this.cells) {
      this.unslotted[0]--
      return
    }
    const slot = cell >>> SLOT_SHIFT
    this.nextFree[slot] = this.first
    this.first = slot
    this.taken--
  }

  /** The stack ended while a call was handed on to its slot, and it has ended by that. */
  releaseCall(call: number): void {
    const end = this.used[0] * CELLS_PER_CALL
    for (let cell = 0; cell < end; cell += CELLS_PER_CALL) {
      if (this.cells[cell + OpenCell.CALL] === call) this.release(this.cells, cell)
    }
  }

  /** A call can never end: what would end it was collected. */
  abandon(cells: Float64Array, cell: number, call: number): void {
    if (cells[cell + OpenCell.CALL] !== call) return
    this.#unended[0]++
    this.release(cells, cell)
  }
}
