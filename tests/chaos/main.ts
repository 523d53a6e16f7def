/**
 * `npm run chaos`: runs every row of the fault matrix with its full counts, measures the exit delay, and prints the
 * tables as Markdown. Exit code 1 when a row that ran failed, or a row has no test.
 */
import { parseArgs } from 'node:util'
import { durationMs } from '../../lib/config/duration.js'
import { exitDelaySection } from './exit-delay.js'
import { matrix, milliseconds, type RowReport, reportRow } from './matrix.js'
import { type Section, stamp, writeSections } from './report.js'
import { ROWS, type Row } from './rows.js'
import { filesOfRow, runTests } from './run-tests.js'
import { protectionsSection } from './try-protections.js'

const USAGE = `Usage: npm run chaos -- [options]
  --row <number>     only this row; may be given more than once
  --seed <number>    repeats the random choices of an earlier run
  --short            the short forms, as in npm test
  --soak <duration>  only the soak (row 25), for this long: 10m, 2h
  --exit-delay       only the table of exit delays
  --protections      takes each protective measure away and shows which test fails
  --write            writes memory-bank/reliability.md`

const progress = (line: string): void => void process.stderr.write(`${line}\n`)

interface Choice {
  readonly rows: readonly Row[]
  readonly exitDelay: boolean
  readonly protections: boolean
  readonly short: boolean
  readonly write: boolean
  readonly seed: number
}

function choose(): Choice {
  const { values } = parseArgs({
    options: {
      row: { type: 'string', multiple: true },
      seed: { type: 'string' },
      short: { type: 'boolean', default: false },
      soak: { type: 'string' },
      'exit-delay': { type: 'boolean', default: false },
      protections: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
    },
  })
  const only = values.soak !== undefined || values['exit-delay'] || values.protections
  const rows = values.row?.map(rowNumbered) ?? (only ? [] : ROWS)
  const seed = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed)
  if (!Number.isInteger(seed)) throw new Error(`--seed ${values.seed} is no whole number`)
  if (values.write && values.row !== undefined) throw new Error('--write needs all rows: leave --row out')
  return {
    rows: values.soak === undefined ? rows : [...rows, soakFor(values.soak)],
    exitDelay: values['exit-delay'] || (!only && values.row === undefined),
    protections: values.protections,
    short: values.short,
    write: values.write,
    seed,
  }
}

function rowNumbered(text: string): Row {
  const row = ROWS.find(({ row }) => row === Number(text))
  if (row === undefined) throw new Error(`--row ${text}: rows are 1 to ${ROWS.length}`)
  return row
}

function soakFor(duration: string): Row {
  const seconds = Math.round(durationMs(duration as '10m') / 1_000)
  return { ...rowNumbered('25'), full: { CALLSIGHT_SOAK_SECONDS: String(seconds) } }
}

async function runRow(row: Row, { short, seed }: Choice): Promise<RowReport> {
  progress(`row ${row.row}: ${row.fault}`)
  const files = filesOfRow(row.row)
  const env = { CALLSIGHT_SEED: String(seed), ...(short ? {} : row.full) }
  const tests = files.length === 0 ? [] : await runTests(files, `\\brow ${row.row}:`, { env })
  const report = reportRow(row, tests)
  progress(`  ${report.result} (${tests.length} tests, ${milliseconds(report.tookMs)})`)
  for (const { name, messages } of tests.filter(({ status }) => status === 'failed')) {
    progress(`  ✗ ${name}\n${messages.join('\n').replace(/^/gm, '    ')}`)
  }
  return report
}

async function main(choice: Choice): Promise<void> {
  const { short, seed, rows } = choice
  const how = `Seed ${seed}${short ? ', short forms' : ''}.`
  progress(how)
  const sections: Partial<Record<Section, string>> = {}
  const show = (name: Section, text: string): void => {
    sections[name] = `${stamp(how)}\n\n${text}`
    process.stdout.write(`\n## ${name}\n\n${sections[name]}\n`)
  }
  let failed = false

  const reports: RowReport[] = []
  for (const row of rows) reports.push(await runRow(row, choice))
  failed ||= reports.some(({ state }) => state === 'failed' || state === 'missing')
  // The soak alone is a section of its own and no matrix of one row.
  const soak = reports.find(({ row }) => row === 25)
  if (reports.some(({ row }) => row !== 25)) show('Fault matrix', matrix(reports))
  if (soak !== undefined)
    show('Soak', [...soak.remarks.map(line => `* ${line}`), '', matrix([soak])].join('\n'))

  if (choice.exitDelay) {
    const { text, kept } = await exitDelaySection({ short, progress })
    // A short run has too few ends for a 99th percentile.
    failed ||= !kept && !short
    show('Exit delay', text)
  }
  if (choice.protections) {
    const { text, proven } = await protectionsSection(progress)
    failed ||= !proven
    show('Protective measures', text)
  }
  if (choice.write) writeSections(sections)
  process.exitCode = failed ? 1 : 0
}

function usage(error: unknown): never {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}\n`)
  process.exit(2)
}

let choice: Choice
try {
  choice = choose()
} catch (error) {
  usage(error)
}
await main(choice)
