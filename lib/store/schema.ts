import { BUCKET_COUNT, bucketUpperNs } from '../totals/layout.js'
import { AT, HEX, PARENT_ID, PROCESS, RECORDED, REMOTE_JOIN, TRACE_ID } from './record-sql.js'
import { TRACE_OF_CALL } from './root-sql.js'
import { HOURS_SCHEMA } from './schema-hours.js'
import { INCIDENTS_SCHEMA } from './schema-incidents.js'
import { RECORDER_SCHEMA } from './schema-recorder.js'
import { rootsSchema } from './schema-roots.js'

/**
 * The file format. Tables are internal; the views are the public contract (see README). `user_version` is
 * the schema version, `application_id` marks the file as ours.
 *
 * Time is the key of both record tables: `id = end_us * 2048 + salt`, the moment the call ended in Unix
 * microseconds; salt keeps records of the same microsecond apart. "Newest first", "the last ten minutes" and retention are therefore ranges
 * of the primary key and need no index. It stays positive until the year 2112.
 */
export const APPLICATION_ID = 0x43_53_47_54
export const SCHEMA_VERSION = 4
export { ID_SALT_BITS, ID_SALT_SPAN } from './record-sql.js'

/**
 * Columns of recent_calls from a record table `r`. Each table is joined by itself and with LEFT JOIN, so that SQLite
 * merges the two along their primary keys and stops at a LIMIT: joining after the UNION sorts both tables in full,
 * and with a plain JOIN it starts from `functions` and the rows come in no order.
 */
const recentCall = (trace: string, outcome: string, result: string, weight: string, recorded: string) =>
  `${AT('r')} AS at, f.name AS function, ${outcome} AS outcome, r.duration_ns / 1e6 AS duration_ms,
         r.args AS args, ${result} AS result, ${weight} AS weight, ${TRACE_ID('r', trace)} AS trace_id,
         ${PARENT_ID('r')} AS parent_id, ${HEX('r.call')} AS call_id, ${PROCESS} AS process,
         r.shape AS shape, ${recorded} AS recorded, r.cuts AS cuts`

const TABLES = `
CREATE TABLE processes (
  process_id   INTEGER PRIMARY KEY,
  boot         TEXT NOT NULL UNIQUE,        -- 16 hex digits, random per recorder start; first half of its trace ids
  pid          INTEGER NOT NULL,
  script       TEXT NOT NULL,
  host         TEXT NOT NULL,
  node_version TEXT NOT NULL,
  version      TEXT NOT NULL,               -- of callsight
  started_us   INTEGER NOT NULL,
  last_seen_us INTEGER NOT NULL,
  ended_us     INTEGER,
  ending       TEXT                         -- 'clean', or 'lost' when a later start found it dead
) STRICT;

CREATE TABLE functions (
  function_id INTEGER PRIMARY KEY,
  name        TEXT NOT NULL UNIQUE
) STRICT;

-- One row per recorded call that returned.
CREATE TABLE calls (
  id          INTEGER PRIMARY KEY,
  function_id INTEGER NOT NULL,
  process_id  INTEGER NOT NULL,
  duration_ns INTEGER NOT NULL,
  weight      REAL NOT NULL,                -- 1 / probability that this record was kept; 0: kept in hindsight
  call        INTEGER NOT NULL,
  trace       INTEGER NOT NULL,             -- call number of the root call; negative: see remote_traces; 0: a root, in order
  parent      INTEGER,
  flags       INTEGER NOT NULL,             -- FrameFlag
  shape       TEXT,                         -- JSON: type and size of each argument, [["array",500],"number"]
  args        TEXT,                         -- JSON
  result      TEXT,                         -- JSON
  cuts        TEXT                          -- JSON: {"items":1,"redacted":2}
) STRICT;
CREATE INDEX calls_trace ON calls(trace);

-- One row per call that failed. (process_id, ring, seq) makes redelivery from the journal harmless.
CREATE TABLE errors (
  id          INTEGER PRIMARY KEY,
  function_id INTEGER NOT NULL,
  process_id  INTEGER NOT NULL,
  ring        INTEGER NOT NULL,
  seq         INTEGER NOT NULL,
  duration_ns INTEGER NOT NULL,
  call        INTEGER NOT NULL,
  trace       INTEGER NOT NULL,
  parent      INTEGER,
  flags       INTEGER NOT NULL,
  shape       TEXT,
  args        TEXT,
  error       TEXT NOT NULL,                -- class name of what was thrown
  message     TEXT NOT NULL,
  stack       TEXT,
  details     TEXT,                         -- JSON: cause, aggregated errors, own fields
  fingerprint TEXT NOT NULL,                -- 16 hex digits over function, class and message without its numbers
  cuts        TEXT,
  UNIQUE (process_id, ring, seq)
) STRICT;
CREATE INDEX errors_trace ON errors(trace);
CREATE INDEX errors_fingerprint ON errors(fingerprint, id);

-- Traces that came from outside (W3C traceparent). A row goes with the last record of its trace.
CREATE TABLE remote_traces (
  process_id INTEGER NOT NULL,
  trace      INTEGER NOT NULL,              -- negative number of the trace in the records of this process
  trace_id   TEXT NOT NULL,                 -- 32 hex digits
  parent_id  TEXT NOT NULL,                 -- 16 hex digits: the span that called this process
  seen_us    INTEGER NOT NULL,              -- end of the first call stored
  PRIMARY KEY (process_id, trace)
) STRICT, WITHOUT ROWID;
CREATE INDEX remote_traces_id ON remote_traces(trace_id);

-- The account of each ring and lane, written with every batch: produced = stored + dropped + still in memory.
CREATE TABLE lanes (
  process_id INTEGER NOT NULL,
  ring       INTEGER NOT NULL,
  lane       INTEGER NOT NULL,              -- 0 calls, 1 errors
  produced   INTEGER NOT NULL,              -- last sequence number the producer had given out
  stored     INTEGER NOT NULL,
  dropped    TEXT NOT NULL,                 -- JSON: {"queue_full":12}
  stored_seq INTEGER NOT NULL,              -- highest sequence number that is stored
  PRIMARY KEY (process_id, ring, lane)
) STRICT, WITHOUT ROWID;

-- Exact totals per minute: every call, recorded or not.
CREATE TABLE totals (
  minute          INTEGER NOT NULL,         -- Unix minutes
  function_id     INTEGER NOT NULL,
  process_id      INTEGER NOT NULL,
  calls           INTEGER NOT NULL,
  errors          INTEGER NOT NULL,
  kept            INTEGER NOT NULL,         -- of these, calls that produced a record
  timed           INTEGER NOT NULL,
  duration_sum_ns INTEGER NOT NULL,
  duration_max_ns INTEGER NOT NULL,
  buckets         TEXT NOT NULL,            -- JSON: {"<latency bucket>": calls}
  PRIMARY KEY (minute, function_id, process_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE latency_buckets (
  bucket   INTEGER PRIMARY KEY,
  upper_ns REAL NOT NULL
) STRICT;

-- Cumulative counters per call site as last added to totals and drops, so that a restarted writer goes on exactly.
CREATE TABLE reported (
  process_id INTEGER NOT NULL,
  ring       INTEGER NOT NULL,
  site       INTEGER NOT NULL,
  counters   TEXT NOT NULL,                 -- JSON
  PRIMARY KEY (process_id, ring, site)
) STRICT, WITHOUT ROWID;

-- What was not recorded, per minute, function and reason, with the span of time in which it happened.
CREATE TABLE drops (
  minute      INTEGER NOT NULL,
  function_id INTEGER NOT NULL,             -- 0: not known any more
  process_id  INTEGER NOT NULL,
  lane        INTEGER NOT NULL,
  reason      TEXT NOT NULL,
  count       INTEGER NOT NULL,
  first_us    INTEGER NOT NULL,
  last_us     INTEGER NOT NULL,
  PRIMARY KEY (minute, function_id, process_id, lane, reason)
) STRICT, WITHOUT ROWID;

-- Rows deleted by retention or left out of a bundle, so that every answer can say what is not there.
CREATE TABLE expired (
  kind  TEXT PRIMARY KEY,                   -- GoneKind
  rows  INTEGER NOT NULL,
  up_to_us INTEGER NOT NULL                 -- end of the youngest of these calls
) STRICT, WITHOUT ROWID;
`

/** Why records are not there any more: they were deleted by retention, or are not in the bundle that this file is. */
export const GONE = {
  calls: 'calls',
  errors: 'errors',
  callsLeftOut: 'calls_left_out',
  errorsLeftOut: 'errors_left_out',
  /** Of what was left out, that for which the bundle had no room. */
  callsNoRoom: 'calls_no_room',
  errorsNoRoom: 'errors_no_room',
} as const
export type GoneKind = (typeof GONE)[keyof typeof GONE]

const JOINED = (row: string) =>
  `LEFT JOIN functions f ON f.function_id = ${row}.function_id
  LEFT JOIN processes p ON p.process_id = ${row}.process_id
  ${REMOTE_JOIN(row)}`

const RECENT_ERRORS = `
CREATE VIEW recent_errors AS
SELECT ${AT('e')} AS at, f.name AS function, e.error AS error, e.message AS message,
       e.duration_ns / 1e6 AS duration_ms, e.args AS args, e.stack AS stack,
       ${TRACE_ID('e')} AS trace_id, ${HEX('e.call')} AS call_id, ${PROCESS} AS process,
       e.shape AS shape, ${PARENT_ID('e')} AS parent_id, e.fingerprint AS fingerprint, e.cuts AS cuts
FROM errors e
  ${JOINED('e')}
ORDER BY e.id DESC;
`

/** @param trace number of the trace of a row of `calls` */
const recentCalls = (trace: string) => `
CREATE VIEW recent_calls AS
SELECT at, function, outcome, duration_ms, args, result, weight, trace_id, parent_id, call_id, process, shape, recorded, cuts
FROM (
  SELECT r.id AS id, ${recentCall(trace, "'ok'", 'r.result', 'r.weight', RECORDED('r'))}
  FROM calls r
  ${JOINED('r')}
  UNION ALL
  SELECT r.id, ${recentCall('r.trace', "'error'", 'NULL', '1.0', "'error'")}
  FROM errors r
  ${JOINED('r')}
  ORDER BY 1 DESC
);
`

const bucketRows = () =>
  Array.from({ length: BUCKET_COUNT }, (_, bucket) => `(${bucket},${bucketUpperNs(bucket)})`).join(',')

const FIRST_SCHEMA = [
  TABLES,
  RECENT_ERRORS + recentCalls('r.trace'),
  `INSERT INTO latency_buckets VALUES ${bucketRows()};`,
]

/**
 * One step per version: `MIGRATIONS[n]` brings version n to n + 1. Version 0 is the empty file.
 * Every step runs in one transaction with the version that ends it.
 */
export const MIGRATIONS: readonly (readonly string[])[] = [
  FIRST_SCHEMA,
  INCIDENTS_SCHEMA,
  [...HOURS_SCHEMA, ...RECORDER_SCHEMA],
  rootsSchema(recentCalls(TRACE_OF_CALL('r'))),
]

/** Statements that bring an empty file to the current version. */
export const CREATE_SCHEMA = MIGRATIONS.flat()
