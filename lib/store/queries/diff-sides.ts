import { StoreQueryError } from '../read-errors.js'
import type { RowReader } from '../read-file.js'
import { type Moment, text, toBounds } from './filter.js'

/**
 * One side of a comparison: the calls of some processes, of a span of time, or of both. Totals are kept per minute; a
 * minute belongs to the span it begins in, so that spans that meet share none.
 */
export interface DiffSide {
  /** A process by its pid, `script[pid]` or boot id, or all processes of a script; `'last'` and `'previous'` by their start. */
  readonly process?: string | undefined
  /** Processes that ran on this version of Node. */
  readonly nodeVersion?: string | undefined
  readonly since?: Moment | undefined
  readonly until?: Moment | undefined
}

/** A side as the file knows it. */
export interface FoundSide {
  readonly label: string
  readonly sinceMinute: number
  readonly untilMinute: number
  /** Numbers of the processes; `null`: all. */
  readonly processIds: readonly number[] | null
}

interface ProcessRow {
  readonly processId: number
  readonly boot: string
  readonly pid: number
  readonly script: string
  readonly nodeVersion: string
}

const PROCESSES_SQL = `SELECT process_id AS processId, boot, pid, script, node_version AS nodeVersion
  FROM processes ORDER BY started_us DESC, process_id DESC`
const US_PER_MINUTE = 60_000_000
const NODE = /^node@v?(\S+)$/
const FORMS =
  "Use a process (its pid, 'script[pid]', boot id, script, last or previous), node@22.1.0, all, or a time such as 10:00..10:30, -2h..-1h or 2026-11-20T10:00Z..2026-11-20T11:00Z."

/**
 * @param side a {@link DiffSide}, or its short form: `last`, `app.js[4711]`, `node@22.1.0`, `-2h..-1h`, `10:00..10:30`
 * (today, UTC), `all`
 * @throws StoreQueryError when it is none, or the store has no such process
 */
export function findSide(
  read: RowReader,
  name: 'a' | 'b',
  side: DiffSide | string | undefined,
  nowMs: number,
): FoundSide {
  const given = typeof side === 'string' ? parseSide(name, side) : (side ?? {})
  if (typeof given !== 'object' || given === null)
    throw new StoreQueryError(`Side ${name} is no side. ${FORMS}`)
  const { sinceUs, untilUs } = toBounds({ since: given.since, until: given.until }, nowMs)
  if (sinceUs >= untilUs) throw new StoreQueryError(`Side ${name} ends before it begins. Exchange its times.`)
  return {
    label: typeof side === 'string' ? side.slice(0, 100) : labelOf(given),
    sinceMinute: Math.ceil(sinceUs / US_PER_MINUTE),
    untilMinute: Math.ceil(untilUs / US_PER_MINUTE),
    processIds: findProcesses(read, name, given),
  }
}

/** Sides that share calls differ by less than they do. */
export function shareCalls(a: FoundSide, b: FoundSide): boolean {
  const isApart = a.untilMinute <= b.sinceMinute || b.untilMinute <= a.sinceMinute
  const others = a.processIds?.every(id => b.processIds?.includes(id) === false) ?? false
  return !isApart && !others
}

function parseSide(name: string, side: string): DiffSide {
  const word = side.trim()
  if (word === '' || word.length > 1_000) throw new StoreQueryError(`Side ${name} is empty. ${FORMS}`)
  if (word === 'all') return {}
  const node = NODE.exec(word)
  if (node !== null) return { nodeVersion: `v${node[1]}` }
  const dots = word.indexOf('..')
  if (dots === -1) return { process: word }
  return {
    since: toMoment(word.slice(0, dots)),
    until: toMoment(word.slice(dots + 2)),
  }
}

/** An empty one leaves the side open. */
function toMoment(word: string): Moment | undefined {
  return word === '' || word === 'now' ? undefined : word
}

function labelOf({ process, nodeVersion, since, until }: DiffSide): string {
  const moment = (value: Moment | undefined) => (value instanceof Date ? value.toISOString() : (value ?? ''))
  const span = since === undefined && until === undefined ? [] : [`${moment(since)}..${moment(until)}`]
  const parts = [process, nodeVersion === undefined ? undefined : `node@${nodeVersion}`, ...span]
  return parts.filter(part => part !== undefined).join(' ') || 'all'
}

function findProcesses(read: RowReader, side: string, { process, nodeVersion }: DiffSide): number[] | null {
  if (process === undefined && nodeVersion === undefined) return null
  const all = read.all<ProcessRow>(PROCESSES_SQL, {})
  const named = process === undefined ? all : byName(all, side, text('process', process))
  const found = named.filter(row => nodeVersion === undefined || row.nodeVersion === nodeVersion)
  if (found.length > 0) return found.map(({ processId }) => processId)
  const [last] = all
  if (process === 'previous' && last !== undefined) {
    throw new StoreQueryError(
      `No process for side ${side}: ${last.script} has no run before ${nameOf(last)}, and 'previous' is of the same script as 'last'. ${FORMS}`,
    )
  }
  const known = [...new Set(all.map(nodeVersion === undefined ? nameOf : row => `node@${row.nodeVersion}`))]
  const newest = known.slice(0, 3).join(', ')
  throw new StoreQueryError(
    `No process for side ${side}: ${String(process ?? nodeVersion).slice(0, 100)}. ${newest === '' ? 'There is none at all.' : `There is ${newest}.`} ${FORMS}`,
  )
}

function byName(all: readonly ProcessRow[], side: string, name: string): readonly ProcessRow[] {
  if (name === 'last') return all.slice(0, 1)
  // The one before of the same program, which is what it can be compared with.
  if (name === 'previous')
    return all
      .slice(1)
      .filter(({ script }) => script === all[0]?.script)
      .slice(0, 1)
  const script = all.filter(row => row.script === name)
  if (script.length > 0) return script
  const found = all.filter(row => [String(row.pid), nameOf(row), row.boot].includes(name))
  if (found.length < 2) return found
  const boots = found.slice(0, 3).map(({ boot }) => boot)
  throw new StoreQueryError(
    `${found.length} processes are called ${name.slice(0, 100)} (side ${side}). Give the boot id of one: ${boots.join(', ')}.`,
  )
}

function nameOf({ script, pid }: ProcessRow): string {
  return `${script}[${pid}]`
}
