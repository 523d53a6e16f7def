/**
 * A recorded call beside a span of OpenTelemetry with the same content, in one process and in turns of a few milliseconds: the
 * ratio of rows that run minutes apart on a machine whose speed changes is one of its moments. Protocol: see `protocol.ts`.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { configure, monitor, shutdown } from 'callsight'
import { type Body, blockOnThread } from './measure.js'
import { openTelemetry } from './peer-opentelemetry.js'
import type { RowEntry, RowResult } from './protocol.js'
import { add, ORDERS, pick, place, SYMBOLS } from './subjects.js'
import { median } from './support/statistics.js'

const GROUP = 'a span for a recorded call, in turns'
const TURNS = 60
const WARM_UP_TURNS = 15
/** The queue of spans is made larger than this, and the ring holds as many records. */
const CALLS = 10_000

let sink = 0

function clockReads(): number {
  const begun = process.hrtime.bigint()
  for (let i = 0; i < CALLS; i++) {
    const start = performance.now()
    sink += performance.now() - start
  }
  return Number(process.hrtime.bigint() - begun) / CALLS
}

async function inTurns(recorded: Body, attributes: 'scalars' | 'flattened'): Promise<Omit<RowResult, 'row'>> {
  const span = await openTelemetry({ attributes })
  const costOf = async (body: Body, settle: () => Promise<unknown>): Promise<number> =>
    (await blockOnThread(body, { callsPerBlock: CALLS, settle })).wholeNs
  const spanCost = (): Promise<number> => costOf(span.body, span.settle)
  const turns: { clockNs: number; recordedNs: number; spanNs: number }[] = []
  for (let turn = 0; turn < TURNS; turn++) {
    const clockNs = clockReads()
    // Who comes first changes, for the garbage of one may be collected while the other works.
    let spanNs = turn % 2 === 0 ? await spanCost() : 0
    const recordedNs = await costOf(recorded, async () => {})
    if (turn % 2 === 1) spanNs = await spanCost()
    if (turn >= WARM_UP_TURNS) turns.push({ clockNs, recordedNs, spanNs })
  }
  await span.finish()
  const of = (figure: (turn: (typeof turns)[number]) => number): number => median(turns.map(figure))
  return {
    unit: 'ratio',
    value: of(({ recordedNs, spanNs }) => spanNs / recordedNs),
    detail: `${turns.length} turns of ${CALLS} calls; ${span.detail}`,
    extra: {
      'recorded, ns': of(({ recordedNs }) => recordedNs),
      'span, ns': of(({ spanNs }) => spanNs),
      'recorded, in two clock reads': of(({ recordedNs, clockNs }) => recordedNs / clockNs),
      'turns at 8 or more, percent':
        (100 * turns.filter(({ recordedNs, spanNs }) => spanNs >= 8 * recordedNs).length) / turns.length,
    },
  }
}

const ROWS: Record<string, () => Promise<Omit<RowResult, 'row'>>> = {
  'in turns, string + number → number': () => {
    const monitored = monitor(add)
    return inTurns(n => void (sink += monitored(pick(SYMBOLS, n), n)), 'scalars')
  },
  'in turns, 2 arguments + result': () => {
    const monitored = monitor(place)
    return inTurns(n => void (sink += monitored(pick(SYMBOLS, n), pick(ORDERS, n)).cost), 'flattened')
  },
}

const wanted = process.argv[2] ?? ''
const run = ROWS[wanted]
if (run === undefined) {
  const list: RowEntry[] = Object.keys(ROWS).map(row => ({ row, group: GROUP }))
  process.stdout.write(`${JSON.stringify(list)}\n`)
} else {
  const folder = mkdtempSync(join(tmpdir(), 'callsight-turns-'))
  try {
    configure({ store: { path: join(folder, 'calls.db') } })
    const figures = await run()
    const { balanced, calls } = await shutdown()
    if (!balanced || Object.keys(calls.dropped).length > 0)
      throw new Error(`dropped ${JSON.stringify(calls.dropped)}`)
    process.stdout.write(`${JSON.stringify({ row: wanted, ...figures })}\n`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
if (sink === -1) process.stdout.write('')
