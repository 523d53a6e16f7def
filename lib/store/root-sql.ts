import { CALL_BLOCK, CALL_BLOCK_BITS } from '../queue/layout.js'
import { ID_SALT_BITS, ID_SALT_SPAN } from './record-sql.js'

/**
 * Roots that stand in the file in the order of their numbers have trace 0 ({@link RootOrder} decides which). Of these the
 * index `calls_ordered_root` has a sample: by a prime, so that it falls into step with nothing.
 */
const SAMPLED = 61

/** @param row with a point at its end, or nothing */
export const ORDERED_ROOT_SAMPLE = (row: string) => `${row}trace = 0 AND ${row}id % ${SAMPLED} = 0`

/** Number of the trace of a row of `calls`. */
export const TRACE_OF_CALL = (row: string) => `iif(${row}.trace = 0, ${row}.call, ${row}.trace)`

/** What the index of traces has of calls is found through it only where this is said. */
export const IS_INDEXED = (row: string) => `${row}trace <> 0`

const sampled = (process: string, range: string, order: string) =>
  `SELECT n.id FROM calls n WHERE ${ORDERED_ROOT_SAMPLE('n.')} AND n.process_id = ${process}.process_id AND ${range} ORDER BY n.call ${order} LIMIT 1`
const before = (process: string, call: string) =>
  sampled(
    process,
    `n.call <= ${call} AND n.call >= ${call} >> ${CALL_BLOCK_BITS} << ${CALL_BLOCK_BITS}`,
    'DESC',
  )
const after = (process: string, call: string) =>
  sampled(process, `n.call >= ${call} AND n.call <= ${call} | ${CALL_BLOCK - 1}`, 'ASC')

const isElsewhere = (table: string, process: string, call: string) =>
  `EXISTS (SELECT 1 FROM ${table} i WHERE i.trace = ${call} AND ${IS_INDEXED('i.')} AND i.call = ${call} AND i.process_id = ${process}.process_id)`

/**
 * The row `r` of `calls` is the root with the number `call` of the process `p`, and in order. It lies between its neighbours in the
 * sample; where one is missing, within the life of its process, which may be most of the file: so a root that the
 * indexes of traces have is not looked for.
 */
export const ORDERED_ROOT = (r: string, p: string, call: string) =>
  `NOT ${isElsewhere('calls', p, call)} AND NOT ${isElsewhere('errors', p, call)}
   AND ${r}.id >= coalesce((${before(p, call)}) >> ${ID_SALT_BITS} << ${ID_SALT_BITS}, ${p}.started_us * ${ID_SALT_SPAN})
   AND ${r}.id <= coalesce((${after(p, call)}), ${p}.last_seen_us * ${ID_SALT_SPAN}) | ${ID_SALT_SPAN - 1}
   AND +${r}.trace = 0 AND +${r}.call = ${call} AND +${r}.process_id = ${p}.process_id`

/** The process `p` has a neighbour of that root in the sample. */
export const HAS_NEIGHBOUR = (p: string, call: string) =>
  `coalesce((${before(p, call)}), (${after(p, call)})) IS NOT NULL`
