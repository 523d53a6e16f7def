import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { type Account, type CallRow, type ErrorRow, type FunctionTotals, openStore } from 'callsight'
import { accountTable, aside, command, count, cut, duration, heading, say, table } from '../print.js'

interface Recording {
  /** Folder of the project that was audited. */
  readonly root: string
  readonly storePath: string
  /** The secret that some calls were given. */
  readonly token: string
}

type Store = ReturnType<typeof openStore>

interface ErrorKind {
  readonly error: string
  readonly n: number
  readonly message: string
}

const ERRORS_SHOWN = 8
const SLOW_SHOWN = 5
const MAX_ARGS_SHOWN = 230
/** Errors of one kind have messages that begin with the name of the package and differ in it only. */
const KINDS_SQL = `
  SELECT error, count(*) AS n, min(message) AS message FROM recent_errors
  GROUP BY error, message LIKE '%ships no licence%' ORDER BY n DESC`

/** Prints what the recording holds, and what it does not. */
export function report(recording: Recording, account: Account): void {
  const { root, storePath } = recording
  const store = openStore(storePath)
  const short = (json: string | null): string => (json ?? '').replaceAll(join(root, 'node_modules', '/'), '')

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

  heading('Slowest calls: a call above 100 ms is recorded whatever its sampling')
  const slow = store.calls({ function: 'Checks.hash', limit: 1_000 })
  slow.sort((a, b) => b.duration_ms - a.duration_ms)
  table<CallRow>(
    [
      { header: 'duration', align: 'right', cell: row => duration(row.duration_ms) },
      { header: 'function', cell: row => row.function },
      { header: 'arguments', cell: row => short(row.args) },
    ],
    slow.slice(0, SLOW_SHOWN),
  )

  const errors = store.errors({ limit: 1_000 })
  heading(`Errors: ${count(errors.length)}`)
  table<ErrorKind>(
    [
      { header: 'times', align: 'right', cell: row => count(row.n) },
      { header: 'error', cell: row => row.error },
      { header: 'for example', cell: row => row.message },
    ],
    store.sql(KINDS_SQL) as unknown as ErrorKind[],
  )

  heading('The newest errors, each with the arguments that caused it')
  for (const row of errors.slice(0, ERRORS_SHOWN)) {
    say(`${row.at.slice(11, 23)}  ${row.function}  ${row.error}: ${row.message}`)
    aside(cut(short(row.args), MAX_ARGS_SHOWN))
  }

  heading('A secret')
  printSecret(store, recording, errors, short)

  heading('Where every record went, and what was not recorded')
  accountTable(account)
  const { calls, sampledOut, expired } = store.coverage()
  const expiredRows = (expired.calls?.rows ?? 0) + (expired.errors?.rows ?? 0)
  say(`Sampled out: ${count(sampledOut)} of ${count(calls)} calls. Expired: ${count(expiredRows)} records.`)
  store.close()

  heading('The same errors by other means')
  const path = relative(process.cwd(), storePath)
  command(`sqlite3 ${path} "select error, message from recent_errors limit ${ERRORS_SHOWN}"`)
  command(`npx callsight errors --list --db ${path} --limit ${ERRORS_SHOWN}`)
}

function printSecret(
  store: Store,
  { storePath, token }: Recording,
  errors: readonly ErrorRow[],
  short: (json: string | null) => string,
): void {
  const [given] = store.top().filter(row => row.function === 'Registry.verify')
  const recorded = store.calls({ function: 'Registry.verify', limit: 1_000 })
  const failed = errors.find(row => row.function === 'Registry.verify')
  const redacted = recorded.filter(row => row.args?.includes('"token":"[redacted]"')).length
  const files = readdirSync(dirname(storePath)).filter(name => name.startsWith(basename(storePath)))
  const leaks = files.filter(name => readFileSync(join(dirname(storePath), name)).includes(token)).length
  say(
    `Registry.verify was given a token in each of its ${count(given?.calls ?? 0)} calls. ` +
      `${count(recorded.length)} of them are recorded, ${count(redacted)} with the token redacted. ` +
      `Files of the recording that contain it: ${leaks} of ${files.length}.`,
  )
  if (failed !== undefined) aside(cut(short(failed.args), MAX_ARGS_SHOWN))
}
