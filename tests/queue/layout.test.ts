import { describe, expect, it } from 'vitest'
import {
  CELLS_PER_CALL,
  CLOSED_WORDS_PER_LANE,
  ClosedF64,
  CONTROL_BYTES,
  ControlF64,
  ControlI32,
  DROP_REASONS,
  DROP_WORDS_PER_LANE,
  Frame,
  LaneF64,
  LaneI32,
  laneMemoryBytes,
  OPEN_STACK_CALLS,
  OpenCell,
  openCallsAt,
  PENDING_SLOTS,
  RING_OFFSET,
  SCRATCH_BYTES,
  SLOT_ARGS_BYTES,
} from '../../lib/queue/layout.js'

interface Word {
  readonly name: string
  readonly at: number
  readonly end: number
}

/** Words of these tables as ranges of bytes; an array of words is as long as `lengths` says. */
function words(i32: object, f64: object, lengths: Readonly<Record<string, number>>): Word[] {
  const of = (table: object, bytes: number): Word[] =>
    Object.entries(table as Record<string, number>).map(([name, index]) => {
      const at = index * bytes
      return { name, at, end: at + bytes * (lengths[name] ?? 1) }
    })
  return [...of(i32, 4), ...of(f64, 8)].sort((a, b) => a.at - b.at)
}

function expectApart(all: readonly Word[], limit: number): void {
  for (const [n, { name, end }] of all.entries()) {
    const next = all[n + 1]
    expect(end, `${name} ends before ${next?.name ?? 'the end'} begins`).toBeLessThanOrEqual(
      next?.at ?? limit,
    )
  }
}

const LANE = words(LaneI32, LaneF64, {
  PRODUCER_DROPS: 2 * DROP_WORDS_PER_LANE,
  WRITER_DROPS: 2 * DROP_WORDS_PER_LANE,
})
/** Everything else in a lane is written by its thread. */
const WRITTEN_BY_WRITER = [
  'HEAD',
  'STATE',
  'CLOSING',
  'CALLS_CONSUMED',
  'ERRORS_CONSUMED',
  'CALLS_STORED',
  'ERRORS_STORED',
  'CALLS_REPLAYED',
  'ERRORS_REPLAYED',
  'JOURNAL_COVERED_SEGMENT',
  'JOURNAL_COVERED_BYTES',
  'WRITER_DROPS',
]
const CACHE_LINE_BYTES = 64

describe('the words of shared memory', () => {
  it('of a lane do not overlap, and end before the ring', () => {
    expectApart(LANE, RING_OFFSET)
  })

  it('of its thread and of the writer never share a cache line', () => {
    const linesOf = (which: readonly Word[]): Set<number> => {
      const lines = new Set<number>()
      for (const { at, end } of which)
        for (let byte = at; byte < end; byte++) lines.add(Math.floor(byte / CACHE_LINE_BYTES))
      return lines
    }
    const writers = LANE.filter(({ name }) => WRITTEN_BY_WRITER.includes(name))
    expect(writers).toHaveLength(WRITTEN_BY_WRITER.length)
    const threads = linesOf(LANE.filter(({ name }) => !WRITTEN_BY_WRITER.includes(name)))
    expect([...linesOf(writers)].filter(line => threads.has(line))).toEqual([])
  })

  it('of the control block do not overlap, and end with it', () => {
    expectApart(words(ControlI32, ControlF64, { CLOSED_SUMS: 2 * ClosedF64.WORDS }), CONTROL_BYTES)
  })

  it('of one copy of the sums of closed lanes do not overlap', () => {
    const { WORDS, ...sums } = ClosedF64
    expectApart(words({}, sums, { LANES: 2 * CLOSED_WORDS_PER_LANE, IN_JOURNAL: 2 }), WORDS * 8)
  })

  it('have room for every reason of a drop', () => {
    expect(DROP_REASONS.length).toBeLessThanOrEqual(DROP_WORDS_PER_LANE)
  })

  it('of an open call do not overlap, but for those that only one kind of open call has', () => {
    const { CARRIES, FLAGS, ...cells } = OpenCell
    expect(CARRIES, 'on the stack; FLAGS of a pending call').toBe(FLAGS)
    expectApart(words({}, { ...cells, FLAGS }, {}), CELLS_PER_CALL * 8)
  })

  it('of a frame do not overlap', () => {
    const { HEADER_BYTES, ...fields } = Frame
    const small: readonly string[] = ['SIZE', 'META', 'SITE', 'PAYLOAD_BYTES']
    const all = Object.entries(fields).map(([name, at]) => ({
      name,
      at,
      end: at + (small.includes(name) ? 4 : 8),
    }))
    expectApart(all, HEADER_BYTES)
  })

  it('and the parts behind the ring stand one behind the other', () => {
    const ringBytes = 64 * 1024
    const { stack, slots, args, end } = openCallsAt(ringBytes)
    const cell = CELLS_PER_CALL * 8
    expect(stack).toBe(RING_OFFSET + ringBytes + SCRATCH_BYTES)
    expect(slots - stack).toBe(OPEN_STACK_CALLS * cell)
    expect(args - slots).toBe(PENDING_SLOTS * cell)
    expect(end - args).toBe(PENDING_SLOTS * SLOT_ARGS_BYTES)
    expect(laneMemoryBytes(ringBytes)).toBe(end)
  })
})
