import { assignBlocks } from '../../statistics/blocks.js'
import { addBuckets, NO_BUCKETS } from '../bucket-texts.js'
import type { RowReader } from '../read-file.js'
import type { FoundSide } from './diff-sides.js'

/** Exact totals of one function in a piece of time. */
export interface BlockTotals {
  calls: number
  errors: number
  /** Calls by latency bucket. */
  readonly buckets: Float64Array
}

/** Exact totals of one function on one side. */
export interface SideTotals {
  readonly calls: number
  readonly errors: number
  readonly maxNs: number
  /** First and last minute with calls, Unix minutes. */
  readonly minutes: readonly [number, number]
  /** Calls by latency bucket. */
  readonly buckets: Float64Array
  /** The same in pieces of time with about equal numbers of calls, in their order. */
  readonly blocks: readonly BlockTotals[]
}

interface MinuteRow {
  readonly minute: number
  readonly functionId: number
  readonly name: string
  readonly calls: number
  readonly errors: number
  readonly maxNs: number
}

/** Texts of that many minutes are in memory at a time. */
const MINUTES_AT_ONCE = 60

const where = (side: FoundSide) =>
  `t.minute >= $sinceMinute AND t.minute < $untilMinute ${
    side.processIds === null ? '' : 'AND t.process_id IN (SELECT value FROM json_each($processIds))'
  }`
const minutesSql = (
  side: FoundSide,
) => `SELECT t.minute AS minute, t.function_id AS functionId, f.name AS name,
    total(max(0, t.calls)) AS calls, total(max(0, min(t.calls, t.errors))) AS errors, max(t.duration_max_ns) AS maxNs
  FROM totals t JOIN functions f ON f.function_id = t.function_id
  WHERE ${where(side)} AND f.name GLOB $pattern GROUP BY t.minute, t.function_id ORDER BY t.minute`
// As bytes and in the order of the file, as the totals of `top` are read.
const textsSql = (side: FoundSide) => `SELECT t.minute AS minute,
    CAST(group_concat(t.function_id || t.buckets, '') AS BLOB) AS texts
  FROM totals t WHERE ${where(side)} GROUP BY t.minute`

/** Exact totals of the functions of one side, by name. */
export function readSide(
  read: RowReader,
  side: FoundSide,
  pattern: string | null,
  buckets: number,
): Map<string, SideTotals> {
  const processIds = side.processIds === null ? {} : { processIds: JSON.stringify(side.processIds) }
  const { sinceMinute, untilMinute } = side
  const rows = read.all<MinuteRow>(minutesSql(side), {
    sinceMinute,
    untilMinute,
    ...processIds,
    pattern: pattern ?? '*',
  })
  const byFunction = new Map<number, MinuteRow[]>()
  for (const row of rows) {
    const found = byFunction.get(row.functionId)
    if (found === undefined) byFunction.set(row.functionId, [row])
    else found.push(row)
  }
  /** Of each minute, the latency buckets to add to, by function. */
  const ofMinute = new Map<number, Map<number, Float64Array>>()
  const blocks = new Map<number, BlockTotals[]>()
  for (const [functionId, minutes] of byFunction) {
    const made: BlockTotals[] = []
    blocks.set(functionId, made)
    const numbers = assignBlocks(minutes.map(({ calls }) => calls))
    for (const [i, { minute, calls, errors }] of minutes.entries()) {
      const block = (made[numbers[i]!] ??= { calls: 0, errors: 0, buckets: new Float64Array(buckets) })
      block.calls += calls
      block.errors += errors
      let functions = ofMinute.get(minute)
      if (functions === undefined) ofMinute.set(minute, (functions = new Map()))
      functions.set(functionId, block.buckets)
    }
  }
  const minutes = [...ofMinute.keys()].sort((a, b) => a - b)
  for (let at = 0; at < minutes.length; at += MINUTES_AT_ONCE) {
    const last = minutes[Math.min(at + MINUTES_AT_ONCE, minutes.length) - 1]!
    const span = { sinceMinute: minutes[at]!, untilMinute: last + 1, ...processIds }
    for (const { minute, texts } of read.all<{ minute: number; texts: Buffer }>(textsSql(side), span)) {
      const functions = ofMinute.get(minute)
      addBuckets(texts, id => functions?.get(id) ?? NO_BUCKETS)
    }
  }
  return new Map([...byFunction].map(([id, of]) => [of[0]!.name, sideOf(of, blocks.get(id)!, buckets)]))
}

function sideOf(rows: readonly MinuteRow[], blocks: readonly BlockTotals[], buckets: number): SideTotals {
  const all = new Float64Array(buckets)
  for (const block of blocks) for (let i = 0; i < buckets; i++) all[i]! += block.buckets[i]!
  return {
    calls: rows.reduce((sum, { calls }) => sum + calls, 0),
    errors: rows.reduce((sum, { errors }) => sum + errors, 0),
    maxNs: rows.reduce((most, { maxNs }) => Math.max(most, maxNs), 0),
    minutes: [rows[0]!.minute, rows.at(-1)!.minute],
    buckets: all,
    blocks,
  }
}
