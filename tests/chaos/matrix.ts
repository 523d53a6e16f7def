import type { Row } from './rows.js'
import type { TestResult } from './run-tests.js'
import { missingTools } from './tools.js'

/** What the tests of one row found, summed. */
export interface RowReport {
  readonly row: number
  readonly fault: string
  readonly state: 'ok' | 'failed' | 'skipped' | 'missing'
  readonly result: string
  readonly injected: number
  readonly produced: number
  readonly stored: number
  readonly dropped: Readonly<Record<string, number>>
  readonly lostErrors: number
  readonly duplicates: number
  readonly unbalanced: number
  readonly lanes: number
  readonly damaged: readonly string[]
  readonly stores: number
  readonly recoveriesMs: readonly number[]
  readonly remarks: readonly string[]
  readonly tookMs: number
}

export function reportRow(row: Row, tests: readonly TestResult[]): RowReport {
  const figures = tests.flatMap(test => test.figures ?? [])
  const sum = (of: (figure: (typeof figures)[number]) => number): number =>
    figures.reduce((total, figure) => total + of(figure), 0)
  const dropped: Record<string, number> = {}
  for (const figure of figures) {
    for (const [reason, count] of Object.entries(figure.dropped)) {
      dropped[reason] = (dropped[reason] ?? 0) + count
    }
  }
  const counts = {
    row: row.row,
    fault: row.fault,
    injected: sum(figure => figure.injected),
    produced: sum(figure => figure.produced),
    stored: sum(figure => figure.stored),
    dropped,
    lostErrors: sum(figure => figure.lostErrors),
    duplicates: sum(figure => figure.duplicates),
    unbalanced: sum(figure => figure.unbalanced),
    lanes: sum(figure => figure.lanes),
    damaged: figures.flatMap(figure => figure.damaged),
    stores: sum(figure => figure.stores),
    recoveriesMs: figures.flatMap(figure => figure.recoveriesMs),
    remarks: figures.flatMap(figure => figure.remarks),
    tookMs: tests.reduce((total, test) => total + test.durationMs, 0),
  }
  return { ...counts, ...verdict(row, tests, counts) }
}

function verdict(
  row: Row,
  tests: readonly TestResult[],
  counts: Pick<RowReport, 'lostErrors' | 'duplicates' | 'unbalanced' | 'damaged'>,
): Pick<RowReport, 'state' | 'result'> {
  if (tests.length === 0) return { state: 'missing', result: 'missing: no test has this row in its name' }
  const failed = tests.filter(({ status }) => status === 'failed')
  if (failed.length > 0) {
    return { state: 'failed', result: `failed: ${failed.length} of ${tests.length} tests` }
  }
  const { lostErrors, duplicates, unbalanced, damaged } = counts
  // The tests assert the same; a test that forgets to must not turn the row green.
  if (lostErrors + duplicates + unbalanced + damaged.length > 0) {
    return { state: 'failed', result: 'failed: by its figures' }
  }
  const skipped = tests.filter(({ status }) => status === 'skipped').length
  if (skipped === 0) return { state: 'ok', result: 'ok' }
  const why = missingTools(row.needs ?? []) || 'the tests say why'
  return skipped === tests.length
    ? { state: 'skipped', result: `skipped: ${why}` }
    : { state: 'ok', result: `ok, ${skipped} of ${tests.length} tests skipped: ${why}` }
}

const HEADINGS = [
  'row',
  'fault',
  'injected',
  'produced',
  'stored',
  'dropped by reason',
  'lost errors',
  'duplicates',
  'equation',
  'integrity',
  'recovery p50 / max',
  'result',
]

export const matrix = (rows: readonly RowReport[]): string => table(HEADINGS, rows.map(cells))

function cells(row: RowReport): string[] {
  const ran = row.state === 'ok' || row.state === 'failed'
  const ofStore = (text: string): string => (row.stores === 0 || !ran ? '–' : text)
  return [
    String(row.row),
    row.fault,
    row.injected === 0 ? '–' : count(row.injected),
    ofStore(count(row.produced)),
    ofStore(count(row.stored)),
    ofStore(
      Object.entries(row.dropped)
        .map(([reason, dropped]) => `${reason} ${count(dropped)}`)
        .join(', ') || 'none',
    ),
    ofStore(count(row.lostErrors)),
    ofStore(count(row.duplicates)),
    ofStore(row.unbalanced === 0 ? 'holds' : `broken in ${row.unbalanced} of ${row.lanes} lanes`),
    ofStore(row.damaged.length === 0 ? 'ok' : `${row.damaged.length} of ${row.stores} stores damaged`),
    row.recoveriesMs.length === 0
      ? '–'
      : `${milliseconds(quantile(row.recoveriesMs, 0.5))} / ${milliseconds(Math.max(...row.recoveriesMs))}`,
    row.result,
  ]
}

/** A table in Markdown. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (texts: readonly string[]): string =>
    `| ${texts.map(text => text.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`
  return [line(headings), line(headings.map(() => '---')), ...rows.map(line)].join('\n')
}

export const count = (number: number): string => number.toLocaleString('en')

export const milliseconds = (ms: number): string =>
  ms < 10 ? `${ms.toFixed(1)} ms` : ms < 10_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`

/** The smallest value that this share of all is not above (nearest rank). */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}
