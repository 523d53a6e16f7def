import { nowMs } from './clock.js'
import {
  CALL_BLOCK,
  CONTROL_BYTES,
  ControlF64,
  ControlI32,
  StopCode,
  type StopReason,
  WriterState,
} from './layout.js'
import { systemRandom } from './system-random.js'

export type WriterStateName = keyof typeof WriterState
const STATE_NAMES: readonly WriterStateName[] = ['booting', 'running', 'stopped', 'failed']

/** Every thread's view of the control block. Which side may call what is written in `layout.ts`. */
export class Control {
  readonly memory: SharedArrayBuffer
  readonly i32: Int32Array
  readonly f64: Float64Array

  constructor(memory: SharedArrayBuffer = newControlMemory()) {
    this.memory = memory
    this.i32 = new Int32Array(memory)
    this.f64 = new Float64Array(memory)
  }

  get writerState(): WriterStateName {
    return STATE_NAMES[Atomics.load(this.i32, ControlI32.WRITER_STATE)] ?? 'failed'
  }

  /** Tells everyone who waits for the writer. */
  setWriterState(state: WriterStateName): void {
    Atomics.store(this.i32, ControlI32.WRITER_STATE, WriterState[state])
    Atomics.notify(this.i32, ControlI32.WRITER_STATE)
  }

  /** Makes the writer look now instead of at its next tick. */
  wakeWriter(): void {
    Atomics.store(this.i32, ControlI32.WAKE, 1)
    Atomics.notify(this.i32, ControlI32.WAKE)
  }

  /** Writer: sleeps until it is woken or the time is over; whether it was woken. */
  sleep(timeoutMs: number): boolean {
    // Returns at once when the flag was raised since it was last lowered: no wake-up is lost.
    const how = Atomics.wait(this.i32, ControlI32.WAKE, 0, timeoutMs)
    // Lowered before the lanes are read: what is published after this raises it again.
    const flag = Atomics.exchange(this.i32, ControlI32.WAKE, 0)
    Atomics.add(this.i32, ControlI32.HEARTBEAT, 1)
    return how !== 'timed-out' || flag !== 0
  }

  get stopRequested(): StopReason | null {
    const code = Atomics.load(this.i32, ControlI32.STOP_REQUESTED)
    if (code === StopCode.none) return null
    return code === StopCode.processEnd ? 'processEnd' : 'shutdown'
  }

  requestStop(reason: StopReason): void {
    Atomics.store(this.i32, ControlI32.STOP_REQUESTED, StopCode[reason])
    this.wakeWriter()
  }

  /** Nobody waits for the writer any more: what it has not committed by now, it never will. */
  giveUp(): void {
    Atomics.store(this.i32, ControlI32.GIVEN_UP, 1)
    this.wakeWriter()
  }

  get givenUp(): boolean {
    return Atomics.load(this.i32, ControlI32.GIVEN_UP) === 1
  }

  /** Whether nothing will be stored by this process any more. */
  get over(): boolean {
    return this.givenUp || this.writerState === 'stopped'
  }

  /** The first of 2^32 call numbers below 2^53 that no other thread of this process counts in. */
  takeCallBlock(): number {
    return (Atomics.add(this.i32, ControlI32.CALL_BLOCKS, 1) & 0x1f_ff_ff) * CALL_BLOCK
  }

  /** Asks for a flush and returns its ticket. */
  requestFlush(): number {
    const ticket = (Atomics.add(this.i32, ControlI32.FLUSH_REQUESTED, 1) + 1) | 0
    this.wakeWriter()
    return ticket
  }

  get flushRequested(): number {
    return Atomics.load(this.i32, ControlI32.FLUSH_REQUESTED)
  }

  /** Writer: everything that was there when this ticket was read has been dealt with. */
  confirmFlush(ticket: number): void {
    Atomics.store(this.i32, ControlI32.FLUSH_DONE, ticket)
  }

  /** Tickets wrap, so they are compared by distance. */
  flushReached(ticket: number): boolean {
    return ((Atomics.load(this.i32, ControlI32.FLUSH_DONE) - ticket) | 0) >= 0
  }

  get heartbeat(): number {
    return Atomics.load(this.i32, ControlI32.HEARTBEAT)
  }

  /** Deaths of the writer in a row, none of which it outlived by a minute. */
  get writerDeaths(): number {
    return this.i32[ControlI32.WRITER_DEATHS]
  }

  /** Whether the writer has stood still for long in the middle of its work. */
  get stuck(): boolean {
    return Atomics.load(this.i32, ControlI32.WRITER_STUCK) === 1
  }

  /** Blocks this thread until the writer has left `running` and `booting`; `false` after the timeout. */
  waitForEnd(timeoutMs: number): boolean {
    const deadline = nowMs() + timeoutMs
    for (;;) {
      const state = Atomics.load(this.i32, ControlI32.WRITER_STATE)
      if (state === WriterState.stopped) return true
      if (state === WriterState.failed) return false
      const leftMs = deadline - nowMs()
      if (leftMs <= 0) return false
      Atomics.wait(this.i32, ControlI32.WRITER_STATE, state, leftMs)
    }
  }

  /** Recording threads whose records the writer takes now. */
  get lanes(): number {
    return Atomics.load(this.i32, ControlI32.LANES)
  }

  setLanes(count: number): void {
    Atomics.store(this.i32, ControlI32.LANES, count)
  }

  addExpired(rows: number): void {
    this.f64[ControlF64.EXPIRED_ROWS] += rows
  }
}

function newControlMemory(): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(CONTROL_BYTES)
  // The app may have replaced `Math.random` by something that repeats itself in every process.
  new Int32Array(memory)[ControlI32.CALL_BLOCKS] = systemRandom(4).readInt32LE()
  return memory
}
