import type { Command } from 'commander'
import type { StallRow } from '../store/queries/statements.js'
import { parseRecorded } from '../store/recorded-json.js'
import { counted, formatDuration } from '../wording/format.js'
import { instantColumn } from './instant.js'
import { command, limitNote, type ScopeOptions, scopeOf, withLimit, withScope } from './options.js'
import { paragraph } from './paragraph.js'
import type { EndWith } from './program.js'
import type { Screen } from './screen.js'
import { type Column, renderTable } from './table.js'
import { view } from './view.js'

/** Narrower than this the process stands below. */
const ONE_LINE_WIDTH = 100
/** From this share of the looks on a thread counts as computing all the time, below the other as waiting. */
const COMPUTING = 0.8
const WAITING = 0.2

export function stallsCommand(screen: Screen, endWith: EndWith): Command {
  const target = command('stalls', 'times in which an event loop stood still, with the function to blame', [
    'stalls',
    "stalls --since 1h --function 'Report.*'",
    'stalls --since 10m --fail-if-any',
    'stalls --json',
  ])
  withLimit(withScope(target), 100)
  return view<ScopeOptions>(target, screen, endWith, (store, options) => {
    const rows = store.stalls(scopeOf(options))
    const running = new Set(
      store
        .processes()
        .filter(({ state }) => state === 'writing')
        .map(({ script, pid }) => `${script}[${pid}]`),
    )
    const limit = limitNote(rows.length, options.limit)
    const cut = limit === null ? '' : `Not shown: ${limit}. `
    const footer = `${cut}Only stalls longer than the configured threshold are recorded, of main threads, while they last.`
    return {
      rows,
      coverage: store.coverage(scopeOf(options)),
      text: () =>
        (rows.length === 0 ? 'No stalls.\n' : stallTable(rows, running, screen)) +
        paragraph(screen, footer, limit === null ? 'dim' : 'yellow'),
    }
  })
}

function stallTable(rows: readonly StallRow[], running: ReadonlySet<string>, screen: Screen): string {
  const stacked = screen.width !== null && screen.width < ONE_LINE_WIDTH
  const columns: Column<StallRow>[] = [
    instantColumn(rows, screen),
    { header: 'DURATION', value: row => formatDuration(row.duration_ms), align: 'right' },
    {
      header: 'END',
      value: row => (row.ended === 1 ? 'over' : running.has(row.process) ? 'STILL STUCK' : 'never'),
      style: row => (row.ended === 1 ? 'dim' : 'red'),
    },
    { header: 'THREAD', value: row => (row.on_cpu === null ? '-' : stateText(row.on_cpu)) },
    {
      header: 'INNERMOST CALL',
      value: row => (row.function === null ? '(none is monitored)' : `${percent(row.share)} ${row.function}`),
      style: () => 'bold',
      min: 14,
      max: 60,
    },
  ]
  const process: Column<StallRow> = { header: 'PROCESS', value: processOf, style: () => 'dim', min: 8 }
  return renderTable(stacked ? columns : [...columns, process], rows, screen, {
    below: row => (stacked ? [processOf(row), stackText(row)].filter(Boolean).join(': ') : stackText(row)),
  })
}

function processOf(row: StallRow): string {
  return row.process ?? '(unknown)'
}

function stateText(onCpu: number): string {
  if (onCpu >= COMPUTING) return 'on CPU'
  return onCpu <= WAITING ? 'waiting' : `${percent(onCpu)} CPU`
}

export function onCpuText(onCpu: number): string {
  if (onCpu >= COMPUTING) return 'on the CPU: it was computing'
  return onCpu <= WAITING
    ? 'not on the CPU: it was waiting for something (a synchronous read, a lock, a child process)'
    : `on the CPU in ${percent(onCpu)} of the looks`
}

/** Whom a stall is laid to, as the beginning of a sentence. */
export function blameText({ function: name, share }: StallRow): string {
  return name === null
    ? 'No monitored call was on the stack'
    : `${name} was the innermost monitored call in ${percent(share)} of the looks`
}

function percent(share: number | null): string {
  return `${Math.round((share ?? 0) * 100)} %`
}

interface StallCall {
  readonly function: string
  readonly calls: number
  readonly args: string | null
}

/** The stack of a stall, as `Server.handle › Report.build (3 calls)`. */
function stackText({ calls }: StallRow): string {
  const stack = stackOf(calls)
  return stack
    .map(call => `${call.function}${call.calls > 1 ? ` (${counted(call.calls, 'call')})` : ''}`)
    .join(' › ')
}

function stackOf(json: string): StallCall[] {
  try {
    const parsed: unknown = parseRecorded(json)
    return Array.isArray(parsed) ? (parsed as StallCall[]) : []
  } catch {
    return []
  }
}
