import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadDriver } from '../../lib/store/driver.js'
import { APPLICATION_ID, CREATE_SCHEMA, SCHEMA_VERSION } from '../../lib/store/schema.js'
import { fingerprint } from '../../lib/writer/fingerprint.js'

export const BOOT = '5f0c2a9be1d34477'
export const OTHER_BOOT = '00112233445566ff'
/** 2026-11-20T10:00:00Z */
export const T0_MS = Date.UTC(2026, 10, 20, 10)

export interface CallSeed {
  atMs: number
  fn?: string
  process?: number
  durationMs?: number
  call?: number
  trace?: number
  parent?: number | null
  weight?: number
  flags?: number
  shape?: string | null
  args?: string | null
  cuts?: string | null
  result?: string | null
}

export interface ErrorSeed extends CallSeed {
  error?: string
  message?: string
  stack?: string | null
  details?: string | null
  fingerprint?: string
}

export interface OpenSeed extends Omit<CallSeed, 'atMs' | 'durationMs' | 'weight' | 'flags' | 'result'> {
  /** When it began. */
  atMs: number
  ring?: number
  timed?: boolean
  depth?: number | null
}

export interface StallSeed {
  atMs: number
  seenMs: number
  endedMs?: number | null
  process?: number
  looks?: number
  onCpu?: number | null
  calls?: readonly (readonly [
    fn: string,
    depth: number,
    looks: number,
    innermost: number,
    args?: string | null,
  ])[]
}

type Connection = InstanceType<ReturnType<typeof loadDriver>>

/** A store made by plain INSERTs, so that reading is tested against the file format and not against the writer. */
export class TestStore {
  readonly db: Connection
  readonly path: string
  #salt = 0
  #next = 1

  constructor(path: string, options: { wal?: boolean; empty?: boolean } = {}) {
    const driver = loadDriver()
    this.path = path
    this.db = new driver(path)
    this.db.exec('PRAGMA auto_vacuum = INCREMENTAL')
    for (const sql of CREATE_SCHEMA) this.db.exec(sql)
    this.db.exec(`PRAGMA application_id = ${APPLICATION_ID}`)
    this.db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`)
    if (options.wal !== false) this.db.exec('PRAGMA journal_mode = WAL')
    if (options.empty === true) return
    this.process(1, BOOT, { ended: true })
  }

  run(sql: string, ...values: unknown[]): void {
    this.db.prepare(sql).run(...values)
  }

  process(
    id: number,
    boot: string,
    options: {
      ended?: boolean
      ending?: string
      lastSeenMs?: number
      startedMs?: number
      host?: string
      pid?: number
      script?: string
    } = {},
  ): void {
    const lastSeenUs = (options.lastSeenMs ?? T0_MS) * 1000
    const ended = options.ended === true || options.ending !== undefined
    this.run(
      `INSERT INTO processes VALUES (?, ?, ?, ?, ?, 'v20', '0.1.0', ?, ?, ?, ?)`,
      id,
      boot,
      options.pid ?? 100 + id,
      options.script ?? 'app.ts',
      options.host ?? 'elsewhere',
      (options.startedMs ?? T0_MS) * 1000,
      lastSeenUs,
      ended ? lastSeenUs : null,
      ended ? (options.ending ?? 'clean') : null,
    )
  }

  fn(name: string): number {
    this.run('INSERT OR IGNORE INTO functions(name) VALUES (?)', name)
    return Number(this.db.prepare('SELECT function_id FROM functions WHERE name = ?').pluck().get(name))
  }

  id(atMs: number): bigint {
    return BigInt(Math.round(atMs * 1000)) * 2048n + BigInt(this.#salt++ % 2048)
  }

  call(seed: CallSeed): number {
    const call = seed.call ?? this.#next++
    this.run(
      'INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      this.id(seed.atMs),
      this.fn(seed.fn ?? 'Orders.place'),
      seed.process ?? 1,
      Math.round((seed.durationMs ?? 1) * 1e6),
      seed.weight ?? 1,
      call,
      seed.trace ?? call,
      seed.parent ?? null,
      seed.flags ?? 0,
      seed.shape ?? null,
      seed.args ?? null,
      seed.result ?? null,
      seed.cuts ?? null,
    )
    return call
  }

  error(seed: ErrorSeed): number {
    const call = seed.call ?? this.#next++
    this.run(
      `INSERT INTO errors VALUES (?, ?, ?, 1, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?)`,
      this.id(seed.atMs),
      this.fn(seed.fn ?? 'Orders.place'),
      seed.process ?? 1,
      this.#salt,
      Math.round((seed.durationMs ?? 1) * 1e6),
      call,
      seed.trace ?? call,
      seed.parent ?? null,
      seed.shape ?? null,
      seed.args ?? null,
      seed.error ?? 'TypeError',
      seed.message ?? 'it broke',
      seed.stack ?? null,
      seed.details ?? null,
      seed.fingerprint ??
        fingerprint(seed.fn ?? 'Orders.place', seed.error ?? 'TypeError', seed.message ?? 'it broke'),
      seed.cuts ?? null,
    )
    return call
  }

  /** A trace of this process that came from outside. */
  remote(trace: number, traceId: string, parentId: string, process = 1): void {
    this.run(
      'INSERT INTO remote_traces VALUES (?, ?, ?, ?, ?)',
      process,
      trace,
      traceId,
      parentId,
      T0_MS * 1000,
    )
  }

  lane(lane: number, produced: number, stored: number, dropped: object, process = 1, ring = 0): void {
    this.run(
      'INSERT INTO lanes VALUES (?, ?, ?, ?, ?, ?, 0)',
      process,
      ring,
      lane,
      produced,
      stored,
      JSON.stringify(dropped),
    )
  }

  /** What the writer of a process says of itself, a second after T0 unless told otherwise. */
  state(row: Readonly<Record<string, unknown>> = {}, process = 1): void {
    const values = {
      process_id: process,
      written_us: (T0_MS + 1_000) * 1000,
      breaker: 0,
      openings: 0,
      opened_us: null,
      closed_us: null,
      queue_bytes: 0,
      capacity_bytes: 4096,
      highest_bytes: 1024,
      highest_of_bytes: 4096,
      writer_cpu_ms: 20,
      batches: 3,
      sweeps: 1,
      retention_ms: 3_600_000,
      max_bytes: 1024 ** 2,
      ...row,
    }
    const marks = Object.keys(values).map(() => '?')
    this.run(`INSERT INTO recorder_states VALUES (${marks.join(', ')})`, ...Object.values(values))
  }

  totals(
    atMs: number,
    fn: string,
    row: {
      calls: number
      errors?: number
      kept?: number
      sumMs?: number
      maxMs?: number
      buckets?: object
      process?: number
    },
  ): void {
    this.run(
      'INSERT INTO totals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      Math.floor(atMs / 60_000),
      this.fn(fn),
      row.process ?? 1,
      row.calls,
      row.errors ?? 0,
      row.kept ?? row.calls,
      row.calls,
      Math.round((row.sumMs ?? row.calls) * 1e6),
      Math.round((row.maxMs ?? 1) * 1e6),
      JSON.stringify(row.buckets ?? { 100: row.calls }),
    )
  }

  drop(atMs: number, fn: string | null, reason: string, count: number, lane = 0): void {
    this.run(
      'INSERT INTO drops VALUES (?, ?, 1, ?, ?, ?, ?, ?)',
      Math.floor(atMs / 60_000),
      fn === null ? 0 : this.fn(fn),
      lane,
      reason,
      count,
      atMs * 1000,
      atMs * 1000,
    )
  }

  expired(kind: 'calls' | 'errors', rows: number, upToMs: number): void {
    this.run('INSERT INTO expired VALUES (?, ?, ?)', kind, rows, upToMs * 1000)
  }

  /** A look at the calls of one thread. */
  look(atMs: number, row: { open: number; listed?: number; process?: number; ring?: number }): void {
    const { process = 1, ring = 0, open, listed = open } = row
    this.run(
      'INSERT INTO in_flight_looks VALUES (?, ?, ?, ?, ?)',
      process,
      ring,
      Math.round(atMs * 1000),
      open,
      listed,
    )
  }

  open(seed: OpenSeed): number {
    const call = seed.call ?? this.#next++
    this.run(
      'INSERT INTO in_flight VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      seed.process ?? 1,
      seed.ring ?? 0,
      call,
      this.fn(seed.fn ?? 'Orders.place'),
      Math.round(seed.atMs * 1000),
      seed.timed === false ? 0 : 1,
      seed.trace ?? call,
      seed.parent ?? null,
      seed.depth === undefined ? 0 : seed.depth,
      seed.shape ?? null,
      seed.args ?? null,
    )
    return call
  }

  second(
    atMs: number,
    fn: string | null,
    row: { calls: number; errors?: number; sumMs?: number; process?: number },
  ): void {
    this.run(
      'INSERT INTO seconds VALUES (?, ?, ?, ?, ?, ?, ?)',
      row.process ?? 1,
      Math.floor(atMs / 1000),
      fn === null ? 0 : this.fn(fn),
      row.calls,
      row.errors ?? 0,
      row.calls,
      Math.round((row.sumMs ?? row.calls) * 1e6),
    )
  }

  /** `calls`: [function, depth, looks, looks that found it innermost] */
  stall(seed: StallSeed): number {
    const stall = this.#next++
    const { process = 1, atMs, seenMs, endedMs = null, looks = 1, onCpu = null } = seed
    this.run(
      'INSERT INTO stalls VALUES (?, ?, 0, ?, ?, ?, ?, ?)',
      stall,
      process,
      Math.round(atMs * 1000),
      Math.round(seenMs * 1000),
      endedMs === null ? null : Math.round(endedMs * 1000),
      looks,
      onCpu,
    )
    for (const [fn, depth, seen, inner, args = null] of seed.calls ?? []) {
      this.run(
        'INSERT INTO stall_calls VALUES (?, ?, ?, ?, ?, 1, 1, ?, ?, NULL, ?)',
        stall,
        this.#next++,
        this.fn(fn),
        depth,
        atMs * 1000,
        seen,
        inner,
        args,
      )
    }
    return stall
  }

  incident(atMs: number, kind: string, detail = '', untilMs: number | null = null, process = 1): void {
    this.run(
      'INSERT INTO incidents(process_id, kind, started_us, ended_us, detail) VALUES (?, ?, ?, ?, ?)',
      process,
      kind,
      Math.round(atMs * 1000),
      untilMs === null ? null : Math.round(untilMs * 1000),
      detail,
    )
  }

  close(): void {
    this.db.close()
  }
}

/** A folder that is removed when the test is over. */
export function scratch(onEnd: (clean: () => void) => void): string {
  const folder = mkdtempSync(join(tmpdir(), 'callsight-test-'))
  onEnd(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export function traceIdOf(trace: number, boot = BOOT): string {
  return boot + hex16(trace)
}

export function hex16(id: number): string {
  return id.toString(16).padStart(16, '0')
}
