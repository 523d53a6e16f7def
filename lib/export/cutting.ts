import { type Database, prepared } from '../store/driver.js'
import { isoOf } from '../store/queries/coverage.js'
import type { Store } from '../store/read.js'
import { ID_SALT_BITS } from '../store/record-sql.js'
import { GONE, type GoneKind } from '../store/schema.js'
import type { SqlParams, SqlRow } from '../store/sql.js'
import { counted } from '../wording/format.js'
import type { Choice } from './choice.js'
import type { CutOut, CutOutOptions } from './cut-out.js'
import type { Chosen, RecordTable } from './record-choice.js'
import { withoutContent } from './without-content.js'

const US_PER_MINUTE = 60_000_000
const MAX_ID = 2n ** 63n - 1n
const US_PER_SECOND = 1_000_000
const ROWS_PER_STEP = 500
/** Bytes of a row beside its texts, numbers in a page that stay free among them. */
const ROW_BYTES = 150
/** Most rows of what belongs to the time and the processes of the records, the newest. */
const MOST = { stalls: 500, openCalls: 500, incidents: 500, drops: 2_000, seconds: 2_000 } as const
const OF_PROCESSES = 'process_id IN (SELECT value FROM json_each($processes))'
const RECORDS =
  'SELECT id, duration_ns, function_id, process_id, trace FROM calls UNION ALL SELECT id, duration_ns, function_id, process_id, trace FROM errors'
const END_US = `(id >> ${ID_SALT_BITS})`

interface Span {
  readonly sinceUs: number
  readonly untilUs: number
}

/** Copies from a store that is open for reading into a new one, in one transaction of that. */
export class Cutting {
  readonly #store: Store
  readonly #db: Database
  readonly #choice: Choice
  readonly #chosen: Chosen
  readonly #options: CutOutOptions
  #frameLeft = 0

  constructor(store: Store, db: Database, choice: Choice, chosen: Chosen, options: CutOutOptions) {
    this.#store = store
    this.#db = db
    this.#choice = choice
    this.#chosen = chosen
    this.#options = options
  }

  *copyRecords(): Generator<undefined> {
    for (const table of ['errors', 'calls'] as const) {
      const { from, to } = this.#chosen
      for (let next = from[table]; next !== null; ) {
        const rows = this.#store.sql(
          `SELECT * FROM ${table} WHERE (${this.#choice.where(table)}) AND id >= $from AND id <= $to
           ORDER BY id LIMIT ${ROWS_PER_STEP}`,
          { ...this.#choice.params, from: next, to: to[table] },
        )
        this.#insert(table, rows)
        const last = rows.at(-1)?.['id']
        next = rows.length < ROWS_PER_STEP || last === undefined ? null : BigInt(String(last)) + 1n
        yield
      }
    }
  }

  /** What belongs to the records that have been copied. */
  *copyFrame(frameBytes: number, totalsBytes: number): Generator<undefined> {
    this.#frameLeft = frameBytes
    const { sinceUs, untilUs } = this.#span()
    const processes = this.#copyProcesses(sinceUs, untilUs)
    this.#copy('lanes', OF_PROCESSES, { processes })
    this.#copy('recorder_states', OF_PROCESSES, { processes })
    this.#copyRemoteTraces()
    const span = { processes, sinceUs, untilUs }
    this.#copyWhileRoom('in_flight', `${OF_PROCESSES} ORDER BY started_us DESC LIMIT ${MOST.openCalls}`, {
      processes,
    })
    this.#copy('in_flight_looks', OF_PROCESSES, { processes })
    this.#copyWhileRoom(
      'stalls',
      `${OF_PROCESSES} AND coalesce(ended_us, seen_us) >= $sinceUs AND started_us < $untilUs
       ORDER BY stall_id DESC LIMIT ${MOST.stalls}`,
      span,
    )
    const stalls = JSON.stringify(
      this.#own('SELECT stall_id FROM stalls').map(row => Number(row['stall_id'])),
    )
    this.#copyWhileRoom(
      'stall_calls',
      'stall_id IN (SELECT value FROM json_each($stalls)) ORDER BY stall_id DESC',
      { stalls },
    )
    this.#copyWhileRoom(
      'incidents',
      `${OF_PROCESSES} AND coalesce(ended_us, $untilUs) >= $sinceUs AND started_us < $untilUs
       ORDER BY started_us DESC LIMIT ${MOST.incidents}`,
      span,
    )
    yield
    const minutes = {
      processes,
      since: Math.floor(sinceUs / US_PER_MINUTE),
      until: Math.ceil(untilUs / US_PER_MINUTE),
    }
    this.#copyWhileRoom(
      'drops',
      `${OF_PROCESSES} AND minute >= $since AND minute < $until ORDER BY minute DESC LIMIT ${MOST.drops}`,
      minutes,
    )
    this.#copyWhileRoom(
      'seconds',
      `${OF_PROCESSES} AND second >= $since AND second < $until ORDER BY second DESC LIMIT ${MOST.seconds}`,
      { processes, since: Math.floor(sinceUs / US_PER_SECOND), until: Math.ceil(untilUs / US_PER_SECOND) },
    )
    yield* this.#copyTotals(minutes, totalsBytes)
    this.#copyFunctions()
  }

  /** Says in the file that it is a part, and of what. */
  sign(): CutOut {
    this.#copy('expired', 'TRUE', [])
    const { recording, nowUs, content } = this.#options
    const { isCut, from } = this.#chosen
    const records = { calls: this.#count('calls'), errors: this.#count('errors') }
    const leftOut = { calls: 0, errors: 0 }
    for (const table of ['calls', 'errors'] as const) {
      const [all] = this.#store.sql(`SELECT count(*) AS rows, CAST(max(id) AS TEXT) AS newest FROM ${table}`)
      leftOut[table] = Math.max(0, Number(all?.['rows'] ?? 0) - records[table])
      this.#noteLeftOut(table, leftOut[table], records[table])
    }
    const gone: string[] = []
    if (leftOut.calls + leftOut.errors > 0) {
      gone.push(`${counted(leftOut.calls, 'call')} and ${counted(leftOut.errors, 'error')} of the recording`)
    }
    if (isCut.errors) gone.push(`for lack of room all calls and errors before ${momentOf(from.errors)}`)
    else if (isCut.calls) gone.push(`for lack of room ordinary calls before ${momentOf(from.calls)}`)
    if (!content) gone.push('arguments, results and messages')
    const text = `Cut out of ${recording} at ${isoOf(nowUs / 1000)}: ${this.#choice.about}. ${gone.length === 0 ? 'It has all of it' : `Not in it: ${gone.join('; ')}`}.`
    const [newest] = this.#own('SELECT process_id FROM processes ORDER BY last_seen_us DESC LIMIT 1')
    prepared(
      this.#db,
      'INSERT INTO incidents (process_id, kind, started_us, ended_us, detail) VALUES (?, ?, ?, ?, ?)',
    ).run(newest?.['process_id'] ?? 0, 'cut_out', nowUs, nowUs, text)
    return { records, leftOut, text }
  }

  /** What was asked for, else the time of the records. */
  #span(): Span {
    return this.#choice.span ?? this.#recorded()
  }

  #recorded(): Span {
    const [found] = this.#own(
      `SELECT min(${END_US} - duration_ns / 1000) AS since, max(${END_US}) AS until FROM (${RECORDS})`,
    )
    const { nowUs } = this.#options
    return { sinceUs: Number(found?.['since'] ?? nowUs), untilUs: Number(found?.['until'] ?? nowUs) + 1 }
  }

  /** Those that have records here, and where a time was asked for, those that ran then. Returns a JSON list. */
  #copyProcesses(sinceUs: number, untilUs: number): string {
    const named = JSON.stringify(
      this.#own(`SELECT DISTINCT process_id FROM (${RECORDS})`).map(row => Number(row['process_id'])),
    )
    const ran = this.#choice.span === null ? 'FALSE' : 'last_seen_us >= $sinceUs AND started_us < $untilUs'
    const where = `process_id IN (SELECT value FROM json_each($named)) OR (${ran})`
    const span = this.#choice.span === null ? {} : { sinceUs, untilUs }
    const rows = this.#copy('processes', where, { named, ...span })
    return JSON.stringify(rows.map(row => Number(row['process_id'])))
  }

  #copyRemoteTraces(): void {
    const keys = this.#own(
      `SELECT DISTINCT process_id, CAST(trace AS TEXT) AS trace FROM (${RECORDS}) WHERE trace < 0`,
    )
    const traces = JSON.stringify(keys.map(row => [Number(row['process_id']), String(row['trace'])]))
    const rows = this.#store.sql(
      `SELECT t.* FROM json_each($traces) k CROSS JOIN remote_traces t
       ON t.process_id = json_extract(k.value, '$[0]') AND t.trace = CAST(json_extract(k.value, '$[1]') AS INTEGER)`,
      { traces },
    )
    this.#insert('remote_traces', rows)
  }

  /** The newest minutes there is room for. */
  *#copyTotals(
    minutes: { processes: string; since: number; until: number },
    maxBytes: number,
  ): Generator<undefined> {
    const where = `${OF_PROCESSES} AND minute >= $since AND minute < $until`
    const sizes = this.#store.sql(
      `SELECT minute, sum(length(buckets) + ${ROW_BYTES}) AS bytes FROM totals WHERE ${where}
       GROUP BY minute ORDER BY minute DESC`,
      minutes,
    )
    let left = maxBytes
    for (const { minute, bytes } of sizes) {
      left -= Number(bytes)
      if (left < 0) break
      this.#copy('totals', `${OF_PROCESSES} AND minute = $minute`, {
        processes: minutes.processes,
        minute: Number(minute),
      })
      yield
    }
  }

  #copyFunctions(): void {
    const tables = ['calls', 'errors', 'totals', 'seconds', 'drops', 'in_flight', 'stall_calls']
    const used = this.#own(tables.map(table => `SELECT function_id AS id FROM ${table}`).join(' UNION '))
    const functions = JSON.stringify(used.map(row => Number(row['id'])))
    this.#copy('functions', 'function_id IN (SELECT value FROM json_each($functions))', { functions })
  }

  /** What is not here, and of that what was asked for: every answer says it. */
  #noteLeftOut(table: RecordTable, rows: number, copied: number): void {
    if (rows === 0) return
    const [youngest] = this.#store.sql(
      `SELECT ${END_US} AS us FROM ${table} WHERE $from IS NULL OR id < $from ORDER BY id DESC LIMIT 1`,
      { from: this.#isWholeFrom(table) ? this.#chosen.from[table] : null },
    )
    const note = (kind: GoneKind, count: number) =>
      prepared(
        this.#db,
        `INSERT INTO expired VALUES (?, ?, ?) ON CONFLICT DO UPDATE
         SET rows = rows + excluded.rows, up_to_us = max(up_to_us, excluded.up_to_us)`,
      ).run(kind, count, Number(youngest?.['us'] ?? 0))
    note(GONE[`${table}LeftOut`], rows)
    if (!this.#chosen.isCut[table]) return
    const [wanted] = this.#store.sql(
      `SELECT count(*) AS rows FROM ${table} WHERE (${this.#choice.where(table)}) AND id <= $to`,
      { ...this.#choice.params, to: this.#chosen.to[table] || MAX_ID },
    )
    note(GONE[`${table}NoRoom`], Math.min(rows, Math.max(0, Number(wanted?.['rows'] ?? 0) - copied)))
  }

  /** Nothing is missing from the oldest record here to the newest of the recording. */
  #isWholeFrom(table: RecordTable): boolean {
    const from = this.#chosen.from[table]
    if (this.#choice.span === null || from === null) return false
    const [there] = this.#store.sql(`SELECT CAST(max(id) AS TEXT) AS newest FROM ${table} WHERE id > ?`, [
      this.#chosen.to[table],
    ])
    return there?.['newest'] === null
  }

  #count(table: RecordTable): number {
    return Number(this.#own(`SELECT count(*) AS rows FROM ${table}`)[0]?.['rows'] ?? 0)
  }

  /** Rows of the new file. */
  #own(sql: string): SqlRow[] {
    return prepared(this.#db, sql).all() as SqlRow[]
  }

  #copy(table: string, where: string, params: SqlParams): SqlRow[] {
    const rows = this.#store.sql(`SELECT * FROM ${table} WHERE ${where}`, params)
    this.#insert(table, rows)
    return rows
  }

  /** The first of them, until what frames the records takes too much. */
  #copyWhileRoom(table: string, where: string, params: SqlParams): void {
    const rows = this.#store.sql(`SELECT * FROM ${table} WHERE ${where}`, params)
    const room = rows.findIndex(row => (this.#frameLeft -= bytesOf(row)) < 0)
    this.#insert(table, room < 0 ? rows : rows.slice(0, room))
  }

  #insert(table: string, rows: readonly SqlRow[]): void {
    const [first] = rows
    if (first === undefined) return
    const names = Object.keys(first)
    const insert = prepared(
      this.#db,
      `INSERT OR IGNORE INTO ${table} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`,
    )
    for (const row of rows) insert.run(...Object.values(this.#options.content ? row : withoutRowContent(row)))
  }
}

function bytesOf(row: SqlRow): number {
  const texts = Object.values(row).map(value => (typeof value === 'string' ? Buffer.byteLength(value) : 0))
  return texts.reduce((sum, length) => sum + length, ROW_BYTES)
}

/** Columns that must hold a text get an empty one. */
function withoutRowContent(row: SqlRow): SqlRow {
  const rest: Record<string, unknown> = withoutContent(row)
  if ('message' in rest) rest['message'] = ''
  return rest as SqlRow
}

function momentOf(id: bigint | null): string {
  return id === null ? 'the cut' : isoOf(Number(id >> BigInt(ID_SALT_BITS)) / 1000)
}
