import { join } from 'node:path'
import { hex16, OTHER_BOOT, scratch, T0_MS, TestStore, traceIdOf } from '../store-read/fixture.js'

const MINUTE_MS = 60_000
/** A function with calls and errors enough for every question. */
export const FUNCTION = 'Orders.place'
export const TRACE = traceIdOf(700)
export const CALL = hex16(701)
export const FINGERPRINT = '00000000000000fe'

/** Something of everything a recording can hold. */
function fill(made: TestStore): void {
  made.process(2, OTHER_BOOT, { script: 'app.ts', ending: 'lost', lastSeenMs: T0_MS + 30 * MINUTE_MS })
  for (let i = 0; i < 60; i++) {
    const atMs = T0_MS + i * 10_000
    const seed = {
      atMs,
      process: 1 + (i % 2),
      args: `[{"n":${i}}]`,
      shape: '["object"]',
      cuts: '{"redacted":1}',
    }
    made.call({ ...seed, durationMs: i % 6 === 0 ? 900 : 1, result: `"${i}"` })
    if (i % 10 === 0) made.error({ ...seed, details: '{"cause":{"@class":"Error","message":"why"}}' })
    if (i % 6 < 2)
      made.totals(atMs, FUNCTION, {
        calls: 4,
        kept: 1,
        errors: 1,
        process: 1 + (i % 2),
        buckets: { 100: 3, 200: 1 },
      })
  }
  made.call({ atMs: T0_MS + 2_000, call: 700, trace: 700, args: '[1]', result: '2' })
  made.error({
    atMs: T0_MS + 1_000,
    call: 701,
    trace: 700,
    parent: 700,
    args: '[1]',
    fingerprint: FINGERPRINT,
  })
  made.remote(-5, 'ab'.repeat(16), hex16(9))
  made.call({ atMs: T0_MS + 3_000, trace: -5 })
  made.lane(0, 100, 60, { queue_full: 3 })
  made.lane(1, 9, 7, { poison: 1 }, 2, 1)
  made.drop(T0_MS, FUNCTION, 'queue_full', 3)
  made.expired('calls', 5, T0_MS - MINUTE_MS)
  made.stall({ atMs: T0_MS, seenMs: T0_MS + 900, endedMs: T0_MS + 950, calls: [[FUNCTION, 0, 1, 1, '[1]']] })
  made.incident(T0_MS, 'breaker_open', 'three failures', T0_MS + 1_000)
  made.look(T0_MS + 1_000, { open: 1, process: 2 })
  made.open({ atMs: T0_MS, process: 2, args: '[1]' })
  made.second(T0_MS, FUNCTION, { calls: 4, process: 2 })
  made.state({}, 1)
  made.state({}, 2)
  made.run(
    `INSERT INTO tunings (pattern, options, process, created_us, expires_us, created_by)
     VALUES ('*', '{"sample":1}', NULL, ?, ?, 'me')`,
    T0_MS * 1000,
    T0_MS * 2000,
  )
}

const LARGEST = '9223372036854775807'
const SMALLEST = '-9223372036854775808'
const deep = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)
const deepKeys = (levels: number) => `${'{"cause":'.repeat(levels)}1${'}'.repeat(levels)}`

/** Columns that hold JSON, by table. */
const JSON_COLUMNS: Readonly<Record<string, readonly string[]>> = {
  calls: ['shape', 'args', 'result', 'cuts'],
  errors: ['shape', 'args', 'details', 'cuts'],
  lanes: ['dropped'],
  totals: ['buckets'],
  in_flight: ['shape', 'args'],
  stall_calls: ['shape', 'args'],
  tunings: ['options'],
}
/** Columns that hold any text. */
const TEXT_COLUMNS: Readonly<Record<string, readonly string[]>> = {
  errors: ['error', 'message', 'stack'],
  functions: ['name'],
  processes: ['script', 'host', 'node_version', 'version'],
  drops: ['reason'],
  incidents: ['kind', 'detail'],
  tunings: ['pattern', 'created_by'],
}

type Columns = typeof JSON_COLUMNS
const FEW: Readonly<Record<string, string>> = {
  calls: 'call = 700',
  errors: 'call = 701',
  totals: 'process_id = 1 AND minute = (SELECT min(minute) FROM totals)',
}
/** Every row, or few where the value is large. */
const set = (columns: Columns, value: string | Buffer) => (made: TestStore) => {
  for (const [table, names] of Object.entries(columns))
    for (const name of names) {
      const where = value.length > 1_000 && FEW[table] !== undefined ? `WHERE ${FEW[table]}` : ''
      // Names of functions are unique.
      const text = table === 'functions' ? 'CAST(? AS TEXT) || function_id' : 'CAST(? AS TEXT)'
      made.run(`UPDATE ${table} SET ${name} = ${text} ${where}`, value)
    }
}
const integers = (value: string) => (made: TestStore) => {
  const { db } = made
  const columns = db
    .prepare(
      `SELECT m.name AS "table", c.name AS "column" FROM sqlite_schema m JOIN pragma_table_info(m.name) c
       WHERE m.type = 'table' AND c.type = 'INTEGER' AND c.pk = 0 AND c.name NOT IN ('function_id', 'process_id', 'stall_id')`,
    )
    .all() as { table: string; column: string }[]
  for (const { table, column } of columns) {
    try {
      db.exec(`UPDATE "${table}" SET "${column}" = ${value}`)
    } catch {
      db.exec(
        `UPDATE "${table}" SET "${column}" = ${value} WHERE rowid = (SELECT min(rowid) FROM "${table}")`,
      )
    }
  }
}
const sql =
  (...statements: readonly string[]) =>
  (made: TestStore) => {
    for (const statement of statements) made.db.exec(statement)
  }

/**
 * A kind of damage or malice, and the commands that cannot answer for such a file: none where nothing is said, `some`
 * where a whole table or its order is gone.
 */
type Row = readonly [name: string, spoil: (made: TestStore) => void, unread?: readonly string[] | 'some']

const TABLE: readonly Row[] = [
  ['integers at the upper end everywhere', integers(LARGEST), ['export']],
  ['integers at the lower end everywhere', integers(SMALLEST), ['export']],
  ['integers beyond 2^53 everywhere', integers('9007199254740993'), ['export']],
  [
    'sums that overflow',
    sql(`UPDATE totals SET calls = ${LARGEST}, errors = ${LARGEST}, duration_sum_ns = ${LARGEST}`),
  ],
  [
    'keys at both ends',
    sql(
      `UPDATE calls SET id = ${LARGEST} WHERE call = 700`,
      `UPDATE errors SET id = ${SMALLEST} WHERE call = 701`,
    ),
  ],
  [
    'minutes at both ends',
    sql(
      `UPDATE totals SET minute = ${LARGEST} WHERE minute = (SELECT max(minute) FROM totals) AND process_id = 1`,
      `UPDATE totals SET minute = ${SMALLEST} WHERE minute = (SELECT min(minute) FROM totals) AND process_id = 1`,
    ),
  ],
  [
    'times before 1970',
    sql(
      'UPDATE calls SET id = -id',
      'UPDATE errors SET id = -id',
      'UPDATE totals SET minute = -minute',
      'UPDATE drops SET minute = -minute, first_us = -first_us, last_us = -last_us',
      'UPDATE processes SET started_us = -started_us, last_seen_us = -last_seen_us, ended_us = -ended_us',
      'UPDATE calls SET duration_ns = -duration_ns',
      'UPDATE stalls SET started_us = -started_us',
    ),
  ],
  [
    'numbers as text in counts',
    sql(
      `UPDATE lanes SET dropped = '{"queue_full":"12","other":"many","a":{},"b":[1],"c":1e400}'`,
      `UPDATE totals SET buckets = '{"100":"3"}'`,
    ),
  ],
  [
    'counts below nothing',
    sql(`UPDATE totals SET calls = -5, duration_sum_ns = ${LARGEST}, duration_max_ns = -1`),
  ],
  ['a process that was seen at the end of time', sql(`UPDATE processes SET last_seen_us = ${LARGEST}`)],
  ['counts in JSON that overflow', sql(`UPDATE lanes SET dropped = '{"a":${LARGEST},"b":${LARGEST}}'`)],
  [
    'buckets of no latency',
    sql(
      `INSERT INTO latency_buckets VALUES (9007199254740991, 1e300)`,
      `UPDATE totals SET buckets = '{"99999999999999999999":5}'`,
    ),
  ],
  ['malformed JSON', set(JSON_COLUMNS, '[[[[{"":"x"')],
  ['JSON of another shape', set(JSON_COLUMNS, '[null,7,{"cause":[]}]')],
  ['empty texts for JSON', set(JSON_COLUMNS, '')],
  ['lists nested 200,000 deep', set(JSON_COLUMNS, deep(200_000))],
  ['objects nested 200,000 deep', set(JSON_COLUMNS, deepKeys(200_000))],
  ['lists nested 200,000 deep that never end', set(JSON_COLUMNS, '['.repeat(200_000))],
  ['JSON of 10 MB', set(JSON_COLUMNS, `["${'x'.repeat(10_000_000)}"]`), 'some'],
  ['texts of 10 MB', set(TEXT_COLUMNS, 'x'.repeat(10_000_000)), 'some'],
  ['NUL in JSON', set(JSON_COLUMNS, '["a\0b"]\0')],
  ['NUL in texts', set(TEXT_COLUMNS, 'a\0b')],
  [
    'bytes that are no UTF-8 in JSON',
    set(JSON_COLUMNS, Buffer.from([0x22, 0xff, 0xc0, 0x80, 0xed, 0xa0, 0x80, 0x22])),
  ],
  ['bytes that are no UTF-8 in texts', set(TEXT_COLUMNS, Buffer.from([0xff, 0xc0, 0x80, 0xed, 0xa0, 0x80]))],
  ...[
    'calls',
    'errors',
    'totals',
    'processes',
    'functions',
    'lanes',
    'drops',
    'expired',
    'incidents',
    'tunings',
    'in_flight',
    'stalls',
    'hours',
    'latency_buckets',
    'remote_traces',
    'recorder_states',
    'seconds',
  ].map(table => [`no table ${table}`, sql(`DROP TABLE ${table}`), 'some'] as Row),
  [
    'no view at all',
    sql(
      ...[
        'recent_errors',
        'recent_calls',
        'function_totals',
        'open_calls',
        'died_in_flight',
        'recent_stalls',
        'losses',
        'recent_incidents',
      ].map(view => `DROP VIEW IF EXISTS ${view}`),
    ),
    ['sql'],
  ],
  [
    'a forged view in place of a table',
    sql(
      'DROP TABLE drops',
      'CREATE VIEW drops AS WITH RECURSIVE n(a) AS (SELECT 1 UNION ALL SELECT a FROM n) SELECT a FROM n WHERE a < 0',
    ),
    'some',
  ],
  [
    'a forged view in place of ours',
    sql(
      'DROP VIEW recent_calls',
      'CREATE VIEW recent_calls AS SELECT sum(9223372036854775807) OVER () AS at FROM calls',
    ),
    ['sql'],
  ],
  [
    'rows of processes and functions that are gone',
    sql('DELETE FROM processes', 'DELETE FROM functions'),
    ['diff', 'export'],
  ],
]

/** Files that no recorder writes. */
export const HOSTILE_STORES = TABLE.map(([name, spoil, unread = []]) => ({ name, spoil, unread }))

/** The path of such a file. */
export function hostileStore(spoil: (made: TestStore) => void, onEnd: (clean: () => void) => void): string {
  const made = new TestStore(join(scratch(onEnd), 'calls.db'), { wal: false })
  try {
    fill(made)
    made.db.exec('BEGIN')
    spoil(made)
    made.db.exec('COMMIT')
  } finally {
    made.close()
  }
  return made.path
}
