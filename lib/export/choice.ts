import { isoOf } from '../store/queries/coverage.js'
import { type ScopeFilter, toBounds } from '../store/queries/filter.js'
import type { Store } from '../store/read.js'
import { StoreQueryError } from '../store/read-errors.js'
import { REMOTE_JOIN, TRACE_ID } from '../store/record-sql.js'
import { IS_INDEXED, ORDERED_ROOT } from '../store/root-sql.js'
import { whyMissing } from '../wording/not-shown.js'
import type { RecordTable } from './record-choice.js'

/** Which records a cut-out is about. */
export interface Choice {
  /** In a few words: `what was recorded`, `trace 5f0c…`. */
  readonly about: string
  /** Condition on the column `id` of one of the tables. */
  readonly where: (table: RecordTable) => string
  readonly params: Readonly<Record<string, string | bigint>>
  /** Unix microseconds, `sinceUs <= moment < untilUs`; of records that are chosen by name `null`: from the first to the last. */
  readonly span: { readonly sinceUs: number; readonly untilUs: number } | null
  /** Traces that were asked for. */
  readonly traceIds: readonly string[]
}

const TRACE = /^[0-9a-f]{32}$/i
const FINGERPRINT = /^[0-9a-f]{16}$/i
/** Traces of one group of errors, those of the newest ones. */
const MOST_TRACES = 100

const IN_SPAN = 'id >= $sinceId AND id < $untilId'
/** `$traces`: JSON list of `[process_id, trace]`. */
const NUMBER = `CAST(json_extract(k.value, '$[1]') AS INTEGER)`
const ORDERED_ROOTS = `SELECT r.id FROM json_each($traces) k
    CROSS JOIN processes p ON p.process_id = json_extract(k.value, '$[0]') CROSS JOIN calls r ON ${ORDERED_ROOT('r', 'p', NUMBER)}`
const inTraces = (table: RecordTable) => `id IN (SELECT r.id FROM json_each($traces) k CROSS JOIN ${table} r
    ON r.trace = ${NUMBER} AND ${IS_INDEXED('r.')} AND r.process_id = json_extract(k.value, '$[0]')
    ${table === 'calls' ? `UNION ALL ${ORDERED_ROOTS}` : ''})`

/**
 * @param id a trace id, call id or fingerprint; none: what ended in the span
 * @throws StoreQueryError when the store has nothing of that id
 */
export function choose(store: Store, id: string | undefined, scope: ScopeFilter): Choice {
  const { sinceId, untilId, sinceUs, untilUs } = toBounds(scope, Date.now())
  const span = { sinceId, untilId }
  if (id === undefined) {
    const about = ['what was recorded']
    if (scope.since !== undefined) about.push(`from ${isoOf(sinceUs / 1000)} on`)
    if (scope.until !== undefined) about.push(`before ${isoOf(untilUs / 1000)}`)
    return {
      about: about.join(' '),
      where: () => IN_SPAN,
      params: span,
      span: { sinceUs, untilUs },
      traceIds: [],
    }
  }
  if (FINGERPRINT.test(id)) {
    const fingerprint = id.toLowerCase()
    const found = store.sql(TRACES_OF_GROUP_SQL, { fingerprint, ...span })
    if (found.length > 0) {
      const traceIds = found.map(row => String(row['traceId']))
      return {
        about: `errors with fingerprint ${fingerprint} and their traces`,
        where: table =>
          `${IN_SPAN} AND (${inTraces(table)}${table === 'errors' ? ' OR fingerprint = $fingerprint' : ''})`,
        params: { ...span, fingerprint, traces: keysOf(store, traceIds) },
        span: null,
        traceIds,
      }
    }
  }
  const traceIds = [...new Set(store.trace(id, { limit: 1 }).map(row => row.trace_id))]
  if (traceIds.length === 0) {
    throw new StoreQueryError(
      `Nothing of trace, call or fingerprint ${id} is in ${store.path}. ${whyMissing(store.coverage(), 'calls')}`,
    )
  }
  return {
    about: TRACE.test(id) ? `trace ${id.toLowerCase()}` : `the trace of call ${id.toLowerCase()}`,
    where: inTraces,
    params: { traces: keysOf(store, traceIds) },
    span: null,
    traceIds,
  }
}

const TRACES_OF_GROUP_SQL = `SELECT traceId FROM (
    SELECT ${TRACE_ID('e')} AS traceId, max(e.id) AS newest
    FROM errors e LEFT JOIN processes p ON p.process_id = e.process_id ${REMOTE_JOIN('e')}
    WHERE e.fingerprint = $fingerprint AND e.id >= $sinceId AND e.id < $untilId GROUP BY 1
  ) ORDER BY newest DESC LIMIT ${MOST_TRACES}`

/** A trace has a number in each process: where it began that of its first call, elsewhere one of that process. */
const KEYS_SQL = `SELECT process_id AS process, CAST(trace AS TEXT) AS trace FROM remote_traces WHERE trace_id = $id
  UNION SELECT process_id, $trace FROM processes WHERE boot = $boot`

function keysOf(store: Store, traceIds: readonly string[]): string {
  const keys = traceIds.flatMap(id => {
    const own = TRACE.test(id) ? BigInt.asIntN(64, BigInt(`0x${id.slice(16)}`)).toString() : ''
    return store.sql(KEYS_SQL, { id, boot: id.slice(0, 16), trace: own })
  })
  return JSON.stringify(keys.map(({ process, trace }) => [Number(process), String(trace)]))
}
