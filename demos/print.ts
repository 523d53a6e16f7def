import { existsSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { styleText } from 'node:util'
import type { Account, LaneAccount } from 'callsight'

/** Every line of a demo fits a terminal of this width. */
const WIDTH = 80
const GAP = '  '

export interface Column<Row> {
  readonly header: string
  readonly cell: (row: Row) => string
  readonly align?: 'left' | 'right'
}

const colours = process.stdout.isTTY && !process.env['NO_COLOR'] && process.stdout.hasColors()

const style = (format: 'bold' | 'dim', text: string): string =>
  colours ? styleText(format, text, { validateStream: false }) : text

export function heading(text: string): void {
  console.log(`\n${style('bold', text)}`)
}

/** One or more lines, broken between words and indented by two. */
export function say(text: string): void {
  for (const line of wrap(text, WIDTH - 2)) console.log(`  ${line}`)
}

export function aside(text: string): void {
  for (const line of wrap(text, WIDTH - 2)) console.log(`  ${style('dim', line)}`)
}

/** A command to copy: never broken, whatever its length. */
export function command(text: string): void {
  console.log(`\n  ${text}`)
}

/** Widths come from the rows; what is too wide for the line is cut at the end of the last column. */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): void {
  const cells = rows.map(row => columns.map(column => plain(column.cell(row))))
  const widths = columns.map((column, i) =>
    Math.max(column.header.length, ...cells.map(row => row[i]?.length ?? 0)),
  )
  const line = (texts: readonly string[]): string => {
    const padded = texts.map((text, i) =>
      columns[i]?.align === 'right' ? text.padStart(widths[i] ?? 0) : text.padEnd(widths[i] ?? 0),
    )
    return cut(`  ${padded.join(GAP)}`.trimEnd(), WIDTH)
  }
  console.log(style('dim', line(columns.map(column => column.header))))
  for (const row of cells) console.log(line(row))
}

/** A table that grows line by line: the widths are given beforehand. */
export class LiveTable {
  readonly #widths: readonly number[]

  constructor(headers: readonly string[], widths: readonly number[]) {
    this.#widths = widths
    console.log(style('dim', this.#line(headers)))
  }

  row(...cells: readonly string[]): void {
    console.log(this.#line(cells))
  }

  #line(cells: readonly string[]): string {
    return cut(`  ${cells.map((cell, i) => cell.padStart(this.#widths[i] ?? 0)).join(GAP)}`, WIDTH)
  }
}

/** The account of both lanes, and whether every record is accounted for. */
export function accountTable(account: Account): void {
  const lanes = [
    { name: 'calls', lane: account.calls },
    { name: 'errors', lane: account.errors },
  ]
  table<(typeof lanes)[number]>(
    [
      { header: 'records', cell: row => row.name },
      { header: 'produced', align: 'right', cell: row => count(row.lane.produced) },
      { header: '= stored', align: 'right', cell: row => count(row.lane.stored) },
      { header: '+ dropped', align: 'right', cell: row => count(droppedOf(row.lane)) },
      { header: '+ on the way', align: 'right', cell: row => count(onTheWay(row.lane)) },
      { header: 'dropped because', cell: row => reasons(row.lane) },
    ],
    lanes,
  )
  say(account.balanced ? 'Balanced: every record is accounted for.' : 'NOT balanced: records are missing.')
}

export const droppedOf = (lane: LaneAccount): number =>
  Object.values(lane.dropped).reduce((sum, records) => sum + records, 0)

const onTheWay = (lane: LaneAccount): number => lane.inRing + lane.inJournal + lane.inMemory

function reasons(lane: LaneAccount): string {
  const found = Object.entries(lane.dropped).map(([reason, records]) => `${reason} ${count(records)}`)
  return found.length === 0 ? '-' : found.join(', ')
}

/** `CALLSIGHT_DB`, or a file in a new folder for temporary files. */
export function freshStorePath(demo: string): string {
  const wanted = process.env['CALLSIGHT_DB']
  if (!wanted) return join(mkdtempSync(join(tmpdir(), `callsight-${demo}-`)), 'calls.db')
  // What a demo counts is right in a recording of its own only, and an existing one is not a demo's to remove.
  if (!existsSync(wanted)) return resolve(wanted)
  console.error(`CALLSIGHT_DB: ${wanted} exists. Name a new file, or unset it.`)
  process.exit(2)
}

export const count = (n: number): string => n.toLocaleString('en-US')

export function duration(ms: number | null): string {
  if (ms === null) return '-'
  if (ms < 0.001) return `${(ms * 1e6).toFixed(0)} ns`
  if (ms < 1) return `${(ms * 1e3).toPrecision(3)} µs`
  return ms < 1_000 ? `${ms.toPrecision(3)} ms` : `${(ms / 1_000).toFixed(2)} s`
}

export function bytes(n: number): string {
  if (n < 1024) return `${n} B`
  return n < 1024 ** 2 ? `${(n / 1024).toFixed(0)} KiB` : `${(n / 1024 ** 2).toFixed(1)} MiB`
}

export const percent = (share: number): string => `${(share * 100).toFixed(2)} %`

/** The text in at most `width` columns. */
export const cut = (text: string, width: number): string =>
  text.length <= width ? text : `${text.slice(0, width - 1)}…`

/** Captured text may hold anything; control characters would move the cursor or change colours. */
export const plain = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')

/** Broken after blanks and commas; what has neither is broken anywhere. */
function wrap(text: string, width: number): string[] {
  const anywhere = new RegExp(`.{1,${width}}`, 'gu')
  const pieces = plain(text)
    .split(/(?<=[ ,])/)
    .flatMap(piece => piece.match(anywhere) ?? [])
  const lines: string[] = []
  let line = ''
  for (const piece of pieces) {
    if (line !== '' && line.length + piece.trimEnd().length > width) {
      lines.push(line.trimEnd())
      line = ''
    }
    line += piece
  }
  return [...lines, line.trimEnd()]
}
