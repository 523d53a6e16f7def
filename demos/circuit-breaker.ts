/**
 * The store fails while the program works: another process takes the write lock of the file and keeps it. The
 * circuit breaker opens, errors wait in the journal; the lock goes, the breaker probes and closes. No error is lost.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import {
  BreakerOpenError,
  CircuitBreaker,
  configure,
  flush,
  type Health,
  health,
  monitor,
  openStore,
  shutdown,
} from 'callsight'
import { accountTable, aside, count, duration, freshStorePath, heading, LiveTable, say } from './print.js'

const RESET_TIMEOUT_MS = 1_500
const LOCK_AFTER_MS = 1_000
const UNLOCK_AFTER_MS = 8_000
const MAX_RUN_MS = 20_000
const WORK_INTERVAL_MS = 10
const LOOK_INTERVAL_MS = 20

/** Waits for a line on its input, so that it also ends when this program does. */
const LOCKER = `
  const db = require('better-sqlite3')(process.argv[1], { timeout: 5000 })
  db.exec('BEGIN EXCLUSIVE')
  process.stdout.write('locked')
  process.stdin.once('data', () => { db.exec('ROLLBACK'); process.exit(0) }).once('end', () => process.exit(0))`

class PaymentRefused extends Error {
  override readonly name = 'PaymentRefused'
}

class Payments {
  @monitor()
  charge(order: number): string {
    if (order % 5 === 0) throw new PaymentRefused(`order ${order} was refused`)
    return `receipt ${order}`
  }
}

const path = freshStorePath('breaker')
configure({ store: { path }, breaker: { failureThreshold: 3, resetTimeoutMs: RESET_TIMEOUT_MS } })
// Node prints warnings to stderr, in the middle of the table: here they stand below it.
process.removeAllListeners('warning')
const warnings: string[] = []
process.on('warning', warning => warnings.push(warning.message))

const payments = new Payments()
const startedMs = performance.now()
const elapsedMs = (): number => performance.now() - startedMs
let orders = 0
let thrown = 0

function work(): void {
  orders++
  try {
    payments.charge(orders)
  } catch {
    thrown++
  }
}

async function lockStore(): Promise<ChildProcess> {
  const cwd = fileURLToPath(new URL('.', import.meta.url))
  const child = spawn(process.execPath, ['-e', LOCKER, path], { cwd, stdio: ['pipe', 'pipe', 'inherit'] })
  await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])
  if (child.exitCode !== null) throw new Error('the process that was to lock the store ended too early')
  return child
}

/** What a line of the table is printed for. */
const keyOf = ({ breaker }: Health): string => `${lock} ${breaker.state} ${breaker.failures}`

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(2)} s`

const wait = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

heading('The store is locked by another process, and comes back')
const live = new LiveTable(
  ['time', 'lock', 'recorder', 'breaker', 'failures', 'retry in', 'thrown', 'stored', 'journal'],
  [6, 4, 9, 8, 8, 8, 6, 6, 7],
)
let lock: 'free' | 'locked' | 'released' = 'free'
let shown = ''

function show({ state, breaker, account }: Health): void {
  const cells = [
    lock === 'locked' ? 'held' : 'free',
    state,
    breaker.state,
    count(breaker.failures),
    breaker.state === 'open' ? duration(breaker.retryInMs) : '-',
    count(thrown),
    count(account.errors.stored),
    count(account.errors.inJournal),
  ]
  if (cells.join() === shown) return
  shown = cells.join()
  live.row(seconds(elapsedMs()), ...cells)
}

work()
await flush()
show(health())
const worker = setInterval(work, WORK_INTERVAL_MS)
let locker: ChildProcess | null = null
let seen = keyOf(health())
while (elapsedMs() < MAX_RUN_MS) {
  if (lock === 'free' && elapsedMs() >= LOCK_AFTER_MS) {
    locker = await lockStore()
    lock = 'locked'
  } else if (lock === 'locked' && elapsedMs() >= UNLOCK_AFTER_MS) {
    locker?.stdin?.end('release')
    lock = 'released'
  }
  const now = health()
  if (keyOf(now) !== seen) show(now)
  seen = keyOf(now)
  if (lock === 'released' && now.breaker.state === 'closed' && now.account.errors.inJournal === 0) break
  await wait(LOOK_INTERVAL_MS)
}
clearInterval(worker)
await flush()
show(health())
const account = await shutdown()

heading('What the program said meanwhile')
for (const warning of warnings) say(warning)

heading('Counted in the store')
const store = openStore(path)
const [row] = store.sql('SELECT count(*) AS stored, count(DISTINCT message) AS orders FROM recent_errors')
store.close()
const stored = Number(row?.['stored'])
const different = Number(row?.['orders'])
say(
  `${count(thrown)} errors thrown in ${count(orders)} calls, ${count(stored)} stored: ` +
    `${count(thrown - different)} lost, ${count(stored - different)} stored twice.`,
)
accountTable(account)
aside(path)

heading('The same class, for calls of your own')
await guardOwnCalls()

/** A service that is down for the first half second, asked every 100 ms. */
async function guardOwnCalls(): Promise<void> {
  const guard = new CircuitBreaker({ failureThreshold: 2, resetTimeoutMs: 300 })
  const upAtMs = performance.now() + 500
  const startMs = performance.now()
  let asked = 0
  const service = async (): Promise<string> => {
    asked++
    if (performance.now() < upAtMs) throw new Error('connection refused')
    return 'answered'
  }
  const table = new LiveTable(['time', 'breaker', 'what the caller sees'], [6, 8, 0])
  let attempts = 0
  for (let answered = false; !answered && attempts < 30; ) {
    attempts++
    const answer = await guard.run(service).catch((error: unknown) => error)
    answered = answer === 'answered'
    const seenAs = answer instanceof BreakerOpenError ? answer.message : String(answer)
    table.row(seconds(performance.now() - startMs), guard.state.kind, seenAs)
    await wait(100)
  }
  say(`${count(attempts)} attempts, of which ${count(asked)} reached the service.`)
}
