/**
 * The memory that threads share, every word of it named. Nothing else is shared between a recording thread and
 * the writer but this module and the message types of `writer/messages.ts`.
 *
 * Three kinds of shared buffers exist:
 *
 *   control block   one per process       requests to the writer and its answers
 *   lane memory     one per JS thread     the ring with its counters, and the producer's scratch space
 *   totals          one per JS thread     call-site directory, exact counters, latency buckets (`totals/layout.ts`)
 *
 * Rules that hold for every word:
 *   - exactly one side writes it (the column "by" below);
 *   - 32-bit words that order other memory are touched by `Atomics` only;
 *   - 64-bit floats are 8-byte aligned and written by one side; on the 64-bit machines Node supports such a load
 *     or store is one instruction, and every figure that must be exact is read after an ordering word.
 *
 * ```
 * lane memory
 * byte   word            by   meaning
 * ─────  ──────────────  ───  ────────────────────────────────────────────────────────────────────────────
 *     0  TAIL            P    i32: ring position after the last published frame, modulo 2^32
 *     4  JOURNAL_SEGMENT P    i32: number of the journal segment that is being appended to, 0 = none yet
 *     8  CALLS_PRODUCED  P    f64: last sequence number of the call lane
 *    16  ERRORS_PRODUCED P    f64: last sequence number of the error lane
 *    24  CALLS_PUBLISHED P    f64: call frames published to the ring
 *    32  ERRORS_PUBLISHED P   f64: error frames published to the ring (the journal refused them)
 *    40  CALLS_JOURNALED P    f64: call records appended to the journal (after the writer has stopped)
 *    48  ERRORS_JOURNALED P   f64: error records appended to the journal
 *    56  JOURNAL_KIB     P    i32: what is in the files of its journal and not dealt with, in KiB; its part of the control block's word
 *    64  PRODUCER_DROPS  P    f64 × 2 lanes × 16: records dropped before the ring, by reason
 *   320  ORIGIN_UNIX_US  P    f64: Unix time of the producer's monotonic zero, in microseconds
 *   328  ERRORS_HELD     P    f64: error records waiting in the producer's own memory (disk and ring refused)
 *   336  ERRORS_SHRUNK   P    f64: error records that were written as header only
 *   344  HEARTBEAT       P    i32: raised about once a second while the thread's event loop turns
 *   348  ENDED           P    i32: 1 = the thread said that it ends
 *   352  OPEN_DEPTH      P    i32: monitored calls that stand on the thread's stack
 *   356  OPEN_PRIVATE    P    i32: 1 = they were more than the open stack holds, and stand in memory of the thread's own
 *   360  SLOTS_USED      P    i32: slots of pending calls that were ever in use
 *   364  UNSLOTTED       P    i32: pending calls that found no slot
 *   368  UNENDED         P    f64: calls that have not ended and never can: generators that were collected
 *   376  LOOP_BEAT_MS    P    f64: when the event loop last turned, on the process-wide monotonic clock; 0 = it does not say
 *   384  HEAD            W    i32: ring position up to which frames are committed, modulo 2^32
 *   388  STATE           W    i32: one of LaneState
 *   392  CALLS_CONSUMED  W    f64: call frames of the ring that left it (stored or dropped by the writer)
 *   400  ERRORS_CONSUMED W    f64: error frames of the ring that left it
 *   408  CALLS_STORED    W    f64: call records committed to the store
 *   416  ERRORS_STORED   W    f64: error records committed to the store
 *   424  CALLS_REPLAYED  W    f64: call records of the journal that left it
 *   432  ERRORS_REPLAYED W    f64: error records of the journal that left it
 *   440  JOURNAL_COVERED_SEGMENT W f64: segment the writer reads
 *   448  WRITER_DROPS    W    f64 × 2 lanes × 16: records dropped by the writer, by reason
 *   704  JOURNAL_COVERED_BYTES W    f64: bytes of that segment that are dealt with
 *   712  (end of the counters; P = producer, W = writer; the two halves never share a 64-byte cache line)
 *  1024  ring            P    `ringBytes` bytes, a power of two
 *   ...  scratch         P    SCRATCH_BYTES: arguments captured before the call, until the call settles
 *   ...  open stack      P    OPEN_STACK_CALLS × 64 B: the calls on the thread's stack, as {@link OpenCell} says, outermost first
 *   ...  pending calls   P    PENDING_SLOTS × 64 B: calls that go on after they returned, laid out the same way
 *   ...  their arguments P    PENDING_SLOTS × SLOT_ARGS_BYTES: u32 size, then what was captured
 * ```
 */

/** Why a record is not in the store. The order is part of the file format: append only. */
export const DROP_REASONS = [
  'queue_full',
  'oversize',
  'breaker_open',
  'serialize_failed',
  'reentrant',
  'poison',
  'writer_lost',
  'shutdown',
  'throttled',
  'journal_full',
] as const
export type DropReason = (typeof DROP_REASONS)[number]

export const Drop = {
  queueFull: 0,
  oversize: 1,
  breakerOpen: 2,
  serializeFailed: 3,
  reentrant: 4,
  poison: 5,
  writerLost: 6,
  shutdown: 7,
  throttled: 8,
  journalFull: 9,
} as const

/** The two ways of a record: ordinary calls go through the ring, errors through the journal. */
export const Lane = { calls: 0, errors: 1 } as const
export type Lane = (typeof Lane)[keyof typeof Lane]
export const DROP_WORDS_PER_LANE = 16

/** Index into the lane memory seen as `Int32Array`. */
export const LaneI32 = {
  TAIL: 0,
  JOURNAL_SEGMENT: 1,
  HEARTBEAT: 86,
  ENDED: 87,
  JOURNAL_KIB: 14,
  OPEN_DEPTH: 88,
  OPEN_PRIVATE: 89,
  SLOTS_USED: 90,
  UNSLOTTED: 91,
  HEAD: 96,
  STATE: 97,
  CLOSING: 178,
} as const
/** What the writer does with a lane. */
export const LaneState = {
  /** No writer knows it yet: its thread announces it again now and then. */
  waiting: 0,
  adopted: 1,
  /** Nobody drains it because its thread was silent for long; a thread that wakes up announces it again. */
  resting: 2,
  /** Its account is closed: whatever it produced up to then is stored or counted in the file. */
  closed: 3,
  /** The writer has stopped: what is not stored by now is the thread's own to save. */
  left: 4,
  /** After that, its thread has saved what was in its ring, and puts nothing into it any more. */
  saved: 5,
} as const
/** Index into the lane memory seen as `Float64Array`. */
export const LaneF64 = {
  CALLS_PRODUCED: 1,
  ERRORS_PRODUCED: 2,
  CALLS_PUBLISHED: 3,
  ERRORS_PUBLISHED: 4,
  CALLS_JOURNALED: 5,
  ERRORS_JOURNALED: 6,
  PRODUCER_DROPS: 8,
  ORIGIN_UNIX_US: 40,
  ERRORS_HELD: 41,
  ERRORS_SHRUNK: 42,
  UNENDED: 46,
  LOOP_BEAT_MS: 47,
  CALLS_CONSUMED: 49,
  ERRORS_CONSUMED: 50,
  CALLS_STORED: 51,
  ERRORS_STORED: 52,
  CALLS_REPLAYED: 53,
  ERRORS_REPLAYED: 54,
  JOURNAL_COVERED_SEGMENT: 55,
  WRITER_DROPS: 56,
  JOURNAL_COVERED_BYTES: 88,
} as const
export const RING_OFFSET = 1024
export const SCRATCH_BYTES = 64 * 1024

/**
 * What is remembered of a call while it is open, as f64. The thread changes it with plain stores and no lock: whoever
 * looks on reads a call twice, with the depth or the call number in between, and throws away what has changed.
 */
export const OpenCell = {
  /** Milliseconds of the thread's monotonic clock; `< 0`: the call is not timed. */
  START: 0,
  /** Call number; in a free slot of a pending call 0. */
  CALL: 1,
  TRACE: 2,
  /** 0 = none. */
  PARENT: 3,
  /** 0 = not sampled. */
  WEIGHT: 4,
  /** Byte offset of the captured arguments in the lane memory, -1 = they are not there. */
  MARK: 5,
  /** On the stack: how the call carries its asynchronous context; 1 = it has to put back what it found. */
  CARRIES: 6,
  /** Of a pending call: FrameFlag. */
  FLAGS: 6,
  /** Number of the call site in the totals; -1: code that runs as a part of a trace, and is no call. */
  SITE: 7,
} as const
export const CELLS_PER_CALL = 8
const OPEN_CALL_BYTES = CELLS_PER_CALL * 8
/** A default stack of Node holds 5,000 to 7,000 monitored calls. */
export const OPEN_STACK_CALLS = 16_384
export const PENDING_SLOTS = 4_096
export const SLOT_ARGS_BYTES = 448

/** Where the parts behind the ring begin; bytes of the lane memory. Pages that are never written cost nothing. */
export function openCallsAt(ringBytes: number): { stack: number; slots: number; args: number; end: number } {
  const stack = RING_OFFSET + ringBytes + SCRATCH_BYTES
  const slots = stack + OPEN_STACK_CALLS * OPEN_CALL_BYTES
  const args = slots + PENDING_SLOTS * OPEN_CALL_BYTES
  return { stack, slots, args, end: args + PENDING_SLOTS * SLOT_ARGS_BYTES }
}

/**
 * ```
 * control block
 * byte  word              by   meaning
 * ────  ────────────────  ───  ──────────────────────────────────────────────────────────────────────────
 *    0  WAKE              any  i32: raised to wake the writer before its interval is over; the writer waits on it
 *    4  STOP_REQUESTED    P    i32: one of StopCode: store what is there, close the file, end
 *    8  FLUSH_REQUESTED   any  i32: ticket of the newest flush wanted
 *   12  WRITER_STATE      W    i32: one of WriterState; threads that end wait on it
 *   16  FLUSH_DONE        W    i32: newest ticket for which all that was there has been dealt with
 *   20  HEARTBEAT         W    i32: raised at every drain tick
 *   24  BREAKER_STATE     W    i32: one of BreakerStateCode
 *   28  BREAKER_FAILURES  W    i32: consecutive failures
 *   32  BREAKER_OPENED_AT W    f64: monotonic milliseconds (process-wide clock) when it last opened
 *   40  STORE_BYTES       W    f64: size of the database file after the last sweep or batch
 *   48  WAL_BYTES         W    f64: size of the write-ahead log
 *   56  LAST_COMMIT_MS    W    f64: monotonic milliseconds of the last commit
 *   64  EXPIRED_ROWS      W    f64: rows deleted by retention since the process started
 *   72  BATCHES           W    f64: committed batches
 *   80  BREAKER_SUCCESSES W    i32: successes while half-open
 *   84  WRITER_STARTS     P    i32: writer threads started so far
 *   88  FAULT             P    i32: fault wanted by a test (see writer/faults), 0 = none
 *   92  GIVEN_UP          P    i32: 1 = nobody waits for the writer any more; it must not commit anything from now on
 *   96  LANES             W    i32: recording threads whose lanes the writer has adopted
 *  100  CALL_BLOCKS       any  i32: blocks of call numbers given to threads so far, from a random start
 *  104  CLOSINGS          W    i32: lanes closed so far; its last bit says which copy of their sums holds
 *  108  WRITER_DEATHS     P    i32: deaths of the writer in a row
 *  112  WRITER_STUCK      P    i32: 1 = the writer runs and has not got on for long
 *  116  JOURNAL_KIB       any  i32: what is in the journals of all threads and not dealt with, in KiB (queue/journal-budget)
 *  120  JOURNAL_MAX_KIB   any  i32: what they may hold; every thread writes the same
 *  124  STORE_FAILURE     W    i32: why the last batch was not stored: 1 + its place in STORE_FAILURES (store/errors)
 *  128  CLOSED_SUMS       W    f64 × 2 copies × 40, sums of closed lanes: ERRORS_SHRUNK, a free word, for each of the
 *                              two lanes produced, stored and 16 reasons of drops, then what waits in their journals
 *  768  STALLS            W    f64: times the event loop of the main thread was found stuck
 *  776  STALLED_MS        W    f64: how long these stalls were together, the present one not counted
 *  784  STALLED_SINCE_MS  W    f64: monotonic milliseconds when the present one began, 0 = the loop turns
 *  792  BREAKER_OPENINGS  W    f64: times the breaker went from closed to open
 *  800  BREAKER_OPENED_US W    f64: Unix microseconds when it last did, 0 = never
 *  808  BREAKER_CLOSED_US W    f64: when it was closed again, 0 = never
 *  816  HIGHEST_BYTES     W    f64: most that was found in the ring of one thread, by its share
 *  824  HIGHEST_OF_BYTES  W    f64: capacity of that ring, 0 = none yet
 *  832  WRITER_CPU_MS     W    f64: processor time of all writer threads so far, as far as the system tells
 *  840  SWEEPS            W    f64: times retention went through the store
 * ```
 *
 * One thread of a process owns the writer: "P" is that thread. The other recording threads of the process write only
 * the words of "any".
 */
export const ControlI32 = {
  WAKE: 0,
  STOP_REQUESTED: 1,
  FLUSH_REQUESTED: 2,
  WRITER_STATE: 3,
  FLUSH_DONE: 4,
  HEARTBEAT: 5,
  BREAKER_STATE: 6,
  BREAKER_FAILURES: 7,
  BREAKER_SUCCESSES: 20,
  WRITER_STARTS: 21,
  FAULT: 22,
  GIVEN_UP: 23,
  LANES: 24,
  CALL_BLOCKS: 25,
  CLOSINGS: 26,
  WRITER_DEATHS: 27,
  WRITER_STUCK: 28,
  JOURNAL_KIB: 29,
  JOURNAL_MAX_KIB: 30,
  STORE_FAILURE: 31,
} as const
export const ControlF64 = {
  BREAKER_OPENED_AT: 4,
  STORE_BYTES: 5,
  WAL_BYTES: 6,
  LAST_COMMIT_MS: 7,
  EXPIRED_ROWS: 8,
  BATCHES: 9,
  CLOSED_SUMS: 16,
  STALLS: 96,
  STALLED_MS: 97,
  STALLED_SINCE_MS: 98,
  BREAKER_OPENINGS: 99,
  BREAKER_OPENED_US: 100,
  BREAKER_CLOSED_US: 101,
  HIGHEST_BYTES: 102,
  HIGHEST_OF_BYTES: 103,
  WRITER_CPU_MS: 104,
  SWEEPS: 105,
} as const
/** Index into one copy of CLOSED_SUMS. */
export const ClosedF64 = { ERRORS_SHRUNK: 0, LANES: 2, IN_JOURNAL: 38, WORDS: 40 } as const
/** Words of one lane in a copy of CLOSED_SUMS: produced, stored, then the drops by reason. */
export const CLOSED_WORDS_PER_LANE = 2 + DROP_WORDS_PER_LANE
export const CONTROL_BYTES = 1024

/** `shutdown`: the process goes on; `processEnd`: all its threads die with it. */
export const StopCode = { none: 0, shutdown: 1, processEnd: 2 } as const
export type StopReason = 'shutdown' | 'processEnd'

export const WriterState = { booting: 0, running: 1, stopped: 2, failed: 3 } as const

/**
 * One frame, in the ring and (behind a journal frame header) in the journal. 8-byte aligned, little endian.
 *
 * ```
 * byte  type  meaning
 * ────  ────  ────────────────────────────────────────────────────────────────────────
 *    0  u32   size of the frame in bytes with header and alignment
 *    4  u32   meta: bits 0-7 kind (FrameKind), 8-15 lane, 16-31 flags (FrameFlag)
 *    8  f64   sequence number in its lane
 *   16  f64   start, milliseconds of the producer's monotonic clock (ORIGIN_UNIX_US is its zero)
 *   24  f64   duration in milliseconds
 *   32  f64   call id
 *   40  f64   trace id
 *   48  f64   parent call id, 0 = none
 *   56  f64   weight
 *   64  u32   call site (index into the totals of the same thread)
 *   68  u32   payload bytes
 *   72        payload: one msgpack array, [args, shape, result] for a call, [args, shape, error] for an error
 *   ...  24 B  only with the flag `remote`, directly behind the payload, not aligned: trace id (16 bytes) and id of
 *             the parent span (8 bytes) of a W3C traceparent, in the order of their hex digits
 * ```
 *
 * In a remote trace the trace id of the header is a negative number of this process, so that it cannot meet a call
 * id. The size of the frame covers the 24 bytes, the payload bytes do not.
 */
export const Frame = {
  SIZE: 0,
  META: 4,
  SEQ: 8,
  START: 16,
  DURATION: 24,
  CALL: 32,
  TRACE: 40,
  PARENT: 48,
  WEIGHT: 56,
  SITE: 64,
  PAYLOAD_BYTES: 68,
  HEADER_BYTES: 72,
} as const
export const FrameKind = { record: 1, padding: 2 } as const
export const FrameFlag = {
  error: 1 << 0,
  slow: 1 << 1,
  /** The call returned a promise; the duration runs to its settlement. */
  async: 1 << 2,
  generator: 1 << 3,
  /** Arguments were read after the call, because it was not sampled: changes made by the call show. */
  argsAfter: 1 << 4,
  /** Header-only error record, written above the stated rate. */
  shrunk: 1 << 5,
  /** Header only, weight 0: an unsampled call that is stored because a call of its trace failed or was slow. */
  hindsight: 1 << 6,
  /** The trace came from outside: {@link REMOTE_TRACE_BYTES} stand behind the payload. */
  remote: 1 << 7,
} as const
/** Trace id and parent span id behind the payload of a frame with the flag `remote`. */
export const REMOTE_TRACE_BYTES = 24

/** Call numbers of one thread differ in their last bits only. */
export const CALL_BLOCK_BITS = 32
export const CALL_BLOCK = 2 ** CALL_BLOCK_BITS

/** Bytes of a whole lane memory with a ring of `ringBytes`. */
export function laneMemoryBytes(ringBytes: number): number {
  return openCallsAt(ringBytes).end
}
