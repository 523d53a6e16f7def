import { DROP_REASONS, Drop, FrameFlag, Lane } from '../queue/layout.js'

export const ID_SALT_BITS = 11
export const ID_SALT_SPAN = 2 ** ID_SALT_BITS
const US_PER_MINUTE = 60_000_000

/** 16 hex digits of a number of 64 bits. */
export const HEX = (column: string) => `printf('%016x', ${column})`

/**
 * What views and queries show of a record `row`, with `f` its function, `p` its process and `t` what is known of a
 * trace that came from outside ({@link REMOTE_JOIN}).
 */
export const AT = (row: string) =>
  `strftime('%Y-%m-%dT%H:%M:%fZ', (${row}.id >> ${ID_SALT_BITS}) / 1e6, 'unixepoch')`
export const PROCESS = `p.script || '[' || p.pid || ']'`
export const TRACE_ID = (row: string, trace = `${row}.trace`) =>
  `coalesce(t.trace_id, p.boot || ${HEX(trace)})`
/** The first calls of a trace that came from outside hang below the span that called this process. */
export const PARENT_ID = (row: string) =>
  `CASE WHEN ${row}.parent IS NOT NULL THEN ${HEX(`${row}.parent`)} ELSE t.parent_id END`
/** Why a call that returned is in the store. */
export const RECORDED = (row: string) =>
  `CASE WHEN ${row}.flags & ${FrameFlag.hindsight} THEN 'hindsight' WHEN ${row}.flags & ${FrameFlag.slow} THEN 'slow' ELSE 'sampled' END`
export const REMOTE_JOIN = (row: string) =>
  `LEFT JOIN remote_traces t ON t.process_id = ${row}.process_id AND t.trace = ${row}.trace`

/** An error record that is lost before it reaches the writer is known to the account of its lane only. */
const ALSO_IN_DROPS = [Drop.poison, Drop.writerLost].map(reason => `'${DROP_REASONS[reason]}'`).join(', ')

/** The drops of a lane as rows; none where its text is no account. See {@link IS_UNREADABLE}. */
export const DROPS_OF = (lane: string) =>
  `json_each(CASE WHEN ${IS_UNREADABLE(lane)} THEN '{}' ELSE ${lane}.dropped END)`
/** Whether somebody wrote something else than an account into the row of a lane. */
export const IS_UNREADABLE = (lane: string) =>
  `CASE WHEN json_valid(${lane}.dropped) THEN json_type(${lane}.dropped) <> 'object' ELSE TRUE END`

/**
 * Everything that was lost, each record once: what is counted by minute, then what only the lanes tell. Of that no more
 * is known than that it was between the start of the process and its last sign of life.
 */
export const LOSSES = `SELECT process_id, minute, function_id, lane, reason, count, first_us, last_us FROM drops
  UNION ALL
  SELECT l.process_id, p.last_seen_us / ${US_PER_MINUTE}, 0, l.lane, j.key, j.value, p.started_us, p.last_seen_us
  FROM lanes l JOIN processes p ON p.process_id = l.process_id JOIN ${DROPS_OF('l')} j
  WHERE l.lane = ${Lane.errors} AND j.key NOT IN (${ALSO_IN_DROPS})`
