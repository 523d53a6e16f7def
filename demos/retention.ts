/**
 * The recording keeps a window of time, six hours by default. Here the window is three seconds: the file grows
 * until the window is full, then stays as it is while rows come and go.
 */
import { configure, flush, health, monitor, openStore, shutdown } from 'callsight'
import { aside, bytes, count, freshStorePath, heading, LiveTable, say } from './print.js'

const WINDOW_MS = 3_000
const SWEEP_INTERVAL_MS = 250
const RUN_MS = 12_000
const CALLS_PER_TICK = 50
const TICK_MS = 10
const FAILS_EVERY = 200

class Sensor {
  @monitor()
  read(sample: number): { sample: number; celsius: number; note: string } {
    if (sample % FAILS_EVERY === 0) throw new Error(`sensor 7 did not answer for sample ${sample}`)
    return { sample, celsius: 20 + Math.sin(sample / 500) * 5, note: 'taken by the sensor on the roof' }
  }
}

const path = freshStorePath('retention')
configure({ store: { path, retention: WINDOW_MS, sweepInterval: SWEEP_INTERVAL_MS } })
const sensor = new Sensor()
let samples = 0

function work(): void {
  for (let i = 0; i < CALLS_PER_TICK; i++) {
    try {
      sensor.read(++samples)
    } catch {
      // A sensor that does not answer is in the recording.
    }
  }
}

const wait = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
const ROWS_SQL = `
  SELECT (SELECT count(*) FROM recent_calls) AS rows, (SELECT count(*) FROM recent_errors) AS errors,
         (SELECT at FROM recent_calls ORDER BY at LIMIT 1) AS oldest`

heading(`A window of ${WINDOW_MS / 1_000} s, swept every ${SWEEP_INTERVAL_MS} ms, for ${RUN_MS / 1_000} s`)
const live = new LiveTable(
  ['time', 'calls made', 'rows', 'errors', 'oldest', 'expired', 'file', 'log'],
  [6, 10, 7, 6, 7, 8, 8, 8],
)
const startedMs = performance.now()
const elapsedMs = (): number => performance.now() - startedMs
work()
const worker = setInterval(work, TICK_MS)
await wait(1_000)
// On a busy machine the writer has not stored anything by then.
await flush()
const store = openStore(path)
for (let line = 1; elapsedMs() < RUN_MS; line++) {
  const [row] = store.sql(ROWS_SQL)
  const ageMs = Date.now() - Date.parse(String(row?.['oldest']))
  const { store: file, account } = health()
  live.row(
    `${(elapsedMs() / 1_000).toFixed(1)} s`,
    count(samples),
    count(Number(row?.['rows'])),
    count(Number(row?.['errors'])),
    `${(ageMs / 1_000).toFixed(2)} s`,
    count(account.expired),
    bytes(file.bytes),
    bytes(file.walBytes),
  )
  await wait(line * 1_000 + 1_000 - elapsedMs())
}
clearInterval(worker)
const account = await shutdown()

heading('At the end')
const [row] = store.sql(ROWS_SQL)
const kept = Number(row?.['rows'])
const { calls, errors } = store.coverage().expired
const [exact] = store.top()
const stored = account.calls.stored + account.errors.stored
const expired = (calls?.rows ?? 0) + (errors?.rows ?? 0)
say(
  `${count(stored)} records were stored: ${count(kept)} are in the file, ${count(expired)} have expired, ` +
    `${count(stored - kept - expired)} are missing.`,
)
say(`The file says so itself: calls up to ${calls?.upTo ?? '-'} have expired.`)
say(
  `Totals expire by whole minutes: ${count(exact?.calls ?? 0)} of ${count(samples)} calls are still counted, ` +
    `${count(exact?.errors ?? 0)} errors among them.`,
)
store.close()
aside(path)
