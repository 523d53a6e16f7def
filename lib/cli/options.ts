import { Command, InvalidArgumentError, Option } from 'commander'
import type { Duration } from '../config/options.js'
import { type Coverage, isoOf } from '../store/queries/coverage.js'
import {
  type CallFilter,
  MAX_LIMIT,
  type Outcome,
  type ScopeFilter,
  toBounds,
} from '../store/queries/filter.js'
import { defaultStorePath, openStore, type Store } from '../store/read.js'
import { StoreQueryError } from '../store/read-errors.js'
import { formatCount } from '../wording/format.js'
import { visibleJson } from '../wording/text.js'
import type { Screen } from './screen.js'

/** What every command takes. */
export interface CommonOptions {
  readonly db?: string
  readonly json?: boolean
}

export interface ScopeOptions extends CommonOptions {
  readonly since?: string
  readonly until?: string
  readonly function?: string
  readonly limit?: number
}

export interface RecordOptions extends ScopeOptions {
  readonly error?: string
  readonly minDuration?: string
  readonly outcome?: Outcome
}

/** Machine form of every answer. */
export interface JsonAnswer {
  readonly rows: readonly unknown[]
  readonly coverage: Coverage | null
  /** The limit has cut the rows. */
  readonly truncated?: boolean
  /** Records the rows were made from, and older ones they were not made from. */
  readonly looked_at?: number
  readonly not_looked_at?: number
}

export function command(name: string, summary: string, examples: readonly string[]): Command {
  return commandWithoutRows(name, summary, examples).option(
    '--json',
    'one JSON object {rows, coverage} instead of a table',
  )
}

/** A command that answers otherwise than by a table. */
export function commandWithoutRows(name: string, summary: string, examples: readonly string[]): Command {
  const lines = examples.map(example => `  $ callsight ${example}`)
  return new Command(name)
    .description(summary)
    .option('--db <file>', 'the recording (default: CALLSIGHT_DB, else .callsight/calls.db)')
    .addHelpText('after', `\nExamples:\n${lines.join('\n')}`)
}

export function withScope(target: Command): Command {
  return withFunction(withSpan(target))
}

export function withSpan(target: Command): Command {
  return withSince(target).option('--until <time>', 'before then, in the same forms')
}

export function withSince(target: Command): Command {
  return target
    .option('--since <time>', 'from then on: 10m, 02:50 or 2026-11-20T10:00Z; UTC')
    .addHelpText('after', TIMES)
}

/** How every command takes a moment. */
export const TIMES = `
Times:
  10m, 6h            that long ago
  02:50, 02:50:30    the last time it was that
  2026-11-20T10:00Z  that moment; of a date alone its midnight
  All are UTC, also without the Z, unless they name a zone: 02:50+01:00`

export function withFunction(target: Command): Command {
  return target.option('--function <name>', "name of the function, * and ? allowed: 'Orders.*'")
}

/** What can be asked of single records. */
export function withRecords(target: Command): Command {
  return target
    .option('--error <class>', 'only calls that failed with this class of error, such as TypeError')
    .option('--min-duration <time>', 'only calls that took at least this long: 250ms, 1.5s')
}

export function withOutcome(target: Command): Command {
  return target.addOption(
    new Option('--outcome <outcome>', 'only calls that ended so').choices(['ok', 'error']),
  )
}

export function withLimit(target: Command, defaultLimit: number): Command {
  return target.option('--limit <rows>', 'most rows to show', wholeNumber, defaultLimit)
}

/** `250` means milliseconds, as in the library. */
export function duration(value: string): Duration {
  return /^\d+(\.\d+)?$/.test(value) ? Number(value) : (value as Duration)
}

export function wholeNumber(value: string): number {
  const rows = Number(value)
  if (/^\d{1,7}$/.test(value) && rows >= 1 && rows <= MAX_LIMIT) return rows
  throw new InvalidArgumentError(`Use a whole number from 1 to ${formatCount(MAX_LIMIT)}.`)
}

export function scopeOf(options: ScopeOptions): ScopeFilter & { limit?: number | undefined } {
  const { since, until, limit } = options
  const scope = { since, until, function: options.function, limit }
  const { sinceUs, untilUs } = toBounds(scope, Date.now())
  // To a program an empty span is an empty answer; on a command line it is a slip.
  if (sinceUs > untilUs) {
    throw new StoreQueryError(
      `--since ${since} (${isoOf(sinceUs / 1000)}) is later than --until ${until} (${isoOf(untilUs / 1000)}): nothing lies between. Exchange them, or name the day.`,
    )
  }
  return scope
}

/** The filter of a command with {@link withScope} and {@link withRecords}. */
export function recordsOf(options: RecordOptions): CallFilter {
  const { error, minDuration, outcome } = options
  return {
    ...scopeOf(options),
    error,
    outcome,
    minDurationMs: minDuration === undefined ? undefined : duration(minDuration),
  }
}

/** Opens the store for one answer and closes it whatever happens. */
export function withStore<T>(options: CommonOptions, work: (store: Store) => T): T {
  const store = openStore(storePath(options))
  try {
    return work(store)
  } finally {
    store.close()
  }
}

/** As {@link withStore}, for work that lets other work have its turn. */
export async function whileStoreIsOpen<T>(
  options: CommonOptions,
  work: (store: Store) => Promise<T>,
): Promise<T> {
  const store = openStore(storePath(options))
  try {
    return await work(store)
  } finally {
    store.close()
  }
}

export function storePath(options: CommonOptions): string {
  // What a shell makes of --db "$NOT_SET"; resolved it would be the working directory.
  if (options.db === '') throw new StoreQueryError('--db names no file. Give it one, or leave it out.')
  return options.db ?? defaultStorePath()
}

export function writeJson(screen: Screen, answer: JsonAnswer): void {
  screen.write(`${toJson(answer)}\n`)
}

/** Integers beyond 2^53 and infinities become text, bytes become `0x…`: JSON has no other exact way. */
export function toJson(answer: unknown): string {
  const text = JSON.stringify(answer, function (this: Record<string, unknown>, key: string, value: unknown) {
    const original = this[key]
    if (Buffer.isBuffer(original)) return `0x${original.toString('hex')}`
    if (typeof value === 'bigint') return value.toString()
    return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value
  })
  return visibleJson(text)
}

/** A footer's first part when the limit may have cut the answer. */
export function limitNote(rows: number, limit: number | undefined): string | null {
  return limit !== undefined && rows >= limit ? `rows beyond --limit ${limit}` : null
}
