import { styleText } from 'node:util'
import type { Comparison } from './against.js'
import type { Verdict } from './budgets.js'
import type { Machine } from './machine.js'
import type { Unit } from './protocol.js'
import { isMeasured, type Measured, type RowReport, ratioOf } from './rounds.js'
import { median } from './support/statistics.js'

export const COLUMNS = 100
/** The row that all times of calls are compared with. */
export const FLOOR = 'two clock reads'

const NAME = 48
const VALUE = 15
const SPREAD = 23
const RATIO = COLUMNS - NAME - VALUE - SPREAD

type Format = Parameters<typeof styleText>[0]
/** `styleText` asks neither NO_COLOR nor the terminal in every Node that is supported. */
const isPlain = (): boolean =>
  process.stdout.isTTY !== true || (process.env['NO_COLOR'] ?? '') !== '' || process.env['TERM'] === 'dumb'
const styled = (format: Format, text: string): string => (isPlain() ? text : styleText(format, text))

export function machineLines({ cores, cpu, memoryGiB, system, node, packages, commit }: Machine): string {
  const versions = Object.entries(packages).map(([name, version]) => `${name} ${version}`)
  const first = `Node ${node}, ${system}, ${cores} × ${cpu}, ${memoryGiB} GiB, commit ${commit}`
  return [...wrapped(first, ''), ...wrapped(versions.join(', '), '')].join('\n')
}

export function table(reports: readonly RowReport[], rounds: number): string {
  const floor = reports.filter(isMeasured).find(({ row }) => row === FLOOR)
  const lines: string[] = []
  const heading = 'median'.padStart(VALUE) + 'min … max'.padStart(SPREAD) + '× 2 clocks'.padStart(RATIO)
  for (const [group, rows] of groups(reports)) {
    lines.push('', styled('bold', group.padEnd(NAME)) + styled('dim', heading))
    for (const report of rows) lines.push(...rowLines(report, floor))
  }
  return [`Medians of ${rounds} ${rounds === 1 ? 'round' : 'rounds'}`, ...lines].join('\n')
}

function rowLines(report: RowReport, floor: Measured | undefined): string[] {
  if (!isMeasured(report)) {
    const { failed, skipped } = report
    const why = failed === undefined ? `skipped: ${skipped}` : `FAILED: ${failed}`
    return [
      report.row,
      ...wrapped(why, '    ').map(line => styled(failed === undefined ? 'dim' : 'red', line)),
    ]
  }
  const { row, unit, values, detail, extra } = report
  const ratio = unit === 'ns/call' && floor !== undefined ? ratioOf(report, floor).toFixed(2) : ''
  const spread = `${figure(Math.min(...values), unit, false)} … ${figure(Math.max(...values), unit, false)}`
  const cells = figure(median(values), unit).padStart(VALUE) + spread.padStart(SPREAD) + ratio.padStart(RATIO)
  const extras = Object.entries(extra).map(([name, value]) => `${name}: ${number(value)}`)
  const notes = [...(detail === undefined ? [] : [detail]), ...extras].join('; ')
  return [
    ...(row.length < NAME ? [row.padEnd(NAME) + cells] : [row, ' '.repeat(NAME) + cells]),
    ...wrapped(notes, '    ').map(line => styled('dim', line)),
  ]
}

export function comparisonTable(comparisons: readonly Comparison[], ref: string, rounds: number): string {
  const lines = comparisons.flatMap(({ row, outcome }) => {
    if (outcome.kind !== 'compared') {
      return [row, ...wrapped(`${outcome.kind}: ${outcome.why}`, '    ').map(line => styled('dim', line))]
    }
    const { unit, before, after, ratio, lowest, highest, beyondNoise } = outcome
    const cells = [
      figure(before, unit).padStart(VALUE),
      figure(after, unit, false).padStart(11),
      ratio.toFixed(3).padStart(8),
      `${lowest.toFixed(2)} … ${highest.toFixed(2)}`.padStart(COLUMNS - 40 - VALUE - 11 - 8 - 2),
      beyondNoise ? ' *' : '',
    ].join('')
    return row.length < 40 ? [row.padEnd(40) + cells] : [row, ' '.repeat(40) + cells]
  })
  return [
    `Before (${ref}) and after (this tree), ${2 * rounds} runs of each row in the order A B B A`,
    '',
    styled(
      'bold',
      `${'row'.padEnd(40)}${'before'.padStart(VALUE)}${'after'.padStart(11)}${'ratio'.padStart(8)}${'min … max'.padStart(24)}`,
    ),
    ...lines,
    '',
    ...wrapped(
      '* beyond noise: no run of one tree lies within the range of the other, and the ratio is off by more than 3 % (it takes two rounds to tell).',
      '',
    ),
  ].join('\n')
}

export function verdictLines(verdicts: readonly Verdict[]): string {
  return verdicts
    .flatMap(({ budget, state, text }) => {
      const mark = {
        kept: styled('green', 'ok      '),
        exceeded: styled('red', 'EXCEEDED'),
        missing: styled('red', 'MISSING '),
      }
      return [`${mark[state]} ${budget.row}`, ...wrapped(text, '         ')]
    })
    .join('\n')
}

function figure(value: number, unit: Unit, named = true): string {
  const names: Record<Unit, string> = {
    'ns/call': ' ns',
    'records/s': ' /s',
    ms: ' ms',
    bytes: ' B',
    ratio: ' ×',
    percent: ' %',
  }
  return number(value) + (named ? names[unit] : '')
}

/** Three significant digits and more, never an exponent. */
function number(value: number): string {
  const size = Math.abs(value)
  if (size >= 10_000_000) {
    return value.toLocaleString('en', { notation: 'compact', maximumSignificantDigits: 4 })
  }
  const digits = size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

function groups(reports: readonly RowReport[]): Map<string, RowReport[]> {
  const byName = new Map<string, RowReport[]>()
  for (const report of reports) byName.set(report.group, [...(byName.get(report.group) ?? []), report])
  return byName
}

function wrapped(text: string, indent: string): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ').filter(word => word !== '')) {
    if (line !== '' && indent.length + line.length + 1 + word.length > COLUMNS) {
      lines.push(indent + line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return line === '' ? lines : [...lines, indent + line]
}
