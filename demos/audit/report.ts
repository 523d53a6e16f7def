import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { type Account, type CallRow, type ErrorRow, type FunctionTotals, openStore } from 'callsight'
import { accountTable, aside, command, count, cut, duration, heading, say, table } from '../print.js'

const ERRORS_SHOWN = 8

/** Prints what the recording holds, and what it does not. */
export function report(path: string, shownPath: string, account: Account, token: string): void {
  const store = openStore(path)
  const { folder } = { folder: join(process.cwd(), 'node_modules') }
  const short = (text: string): string => text.replaceAll(`${folder}/`, '')

  heading('Busiest functions: exact, every call is counted')
  table<FunctionTotals>(
    [
      { header: 'function', cell: row => row.function },
      { header: 'calls', align: 'right', cell: row => count(row.calls) },
      { header: 'errors', align: 'right', cell: row => count(row.errors) },
      { header: 'mean', align: 'right', cell: row => duration(row.mean_ms) },
      { header: 'p95', align: 'right', cell: row => duration(row.p95_ms) },
      { header: 'max', align: 'right', cell: row => duration(row.max_ms) },
    ],
    store.top({ sort: 'calls' }),
  )

  heading('Slowest calls: above 100 ms')
  const slowest = store
    .calls({ minDurationMs: '100ms', function: 'Checks.*', limit: 1_000 })
    .sort((a, b) => b.duration_ms - a.duration_ms)
  table<CallRow>(
    [
      { header: 'duration', align: 'right', cell: row => duration(row.duration_ms) },
      { header: 'function', cell: row => row.function },
      { header: 'arguments', cell: row => short(row.args ?? '') },
    ],
    slowest.slice(0, 5),
  )

  const errors = store.errors({ limit: 1_000 })
  heading(`Errors: ${count(errors.length)}, by kind`)
  const kinds = store.sql(
    `SELECT error, function, count(*) AS n, min(message) AS message FROM recent_errors
     GROUP BY error, function, CASE WHEN function = 'Checks.licence' THEN message LIKE '%ships no%' END ORDER BY n DESC`,
  ) as unknown as { error: string; function: string; n: number; message: string }[]
  table<(typeof kinds)[number]>(
    [
      { header: 'times', align: 'right', cell: row => count(row.n) },
      { header: 'error', cell: row => row.error },
      { header: 'for example', cell: row => row.message },
    ],
    kinds,
  )

  heading('The newest of them, with the arguments that caused them')
  for (const row of errors.slice(0, ERRORS_SHOWN)) printError(row, short)

  heading('Secrets')
  const withOptions = errors.find(row => row.function === 'Registry.verify')
  if (withOptions !== undefined) aside(cut(`${withOptions.function}${short(withOptions.args ?? '')}`, 200))
  const files = recordingFiles(path)
  const found = files.reduce((sum, file) => sum + (readFileSync(file).includes(token) ? 1 : 0), 0)
  say(
    `The token given to ${count(account.calls.produced)} calls: in ${found} of ${files.length} files of the recording.`,
  )

  heading('Where every record went')
  accountTable(account)
  const { calls, sampledOut, expired } = store.coverage()
  say(
    `Not recorded: ${count(sampledOut)} of ${count(calls)} calls were sampled out; ` +
      `${count((expired.calls?.rows ?? 0) + (expired.errors?.rows ?? 0))} expired.`,
  )
  store.close()

  heading('Look yourself')
  command(`sqlite3 ${shownPath} "select at, function, message from recent_errors limit ${ERRORS_SHOWN}"`)
  command(`npx callsight errors --db ${shownPath} --limit ${ERRORS_SHOWN}`)
  console.log()
}

function printError(row: ErrorRow, short: (text: string) => string): void {
  say(`${row.at.slice(11, 23)}  ${row.function}  ${row.error}`)
  say(short(row.message))
  aside(cut(short(row.args ?? ''), 150))
}

function recordingFiles(path: string): string[] {
  return readdirSync(dirname(path))
    .filter(name => name.startsWith(basename(path)))
    .map(name => join(dirname(path), name))
}
