/**
 * A burst of market data through three monitored functions, each sampled differently. The sums over what was
 * recorded estimate the truth; the exact totals, counted for every call, are the truth.
 */
import { configure, health, monitor, openStore, shutdown } from 'callsight'
import {
  accountTable,
  aside,
  count,
  duration,
  freshStorePath,
  heading,
  percent,
  say,
  table,
} from './print.js'

const TICKS = 2_000_000
const TICKS_PER_PACKET = 5_000
const SYMBOLS = ['AAPL', 'ASML', 'BTC-USD', 'EURUSD', 'NESN', 'SAP', 'SIE', 'TSLA']

interface Tick {
  readonly symbol: string
  readonly price: number
  readonly size: number
}

interface Order extends Tick {
  readonly side: 'buy' | 'sell'
  readonly reason: string
}

class RiskLimitError extends Error {
  override readonly name = 'RiskLimitError'
}

class Desk {
  readonly #average = new Map<string, number>()
  readonly #position = new Map<string, number>()

  @monitor({ sample: 0.001 })
  quote(tick: Tick): Order | null {
    const average = this.#average.get(tick.symbol) ?? tick.price
    this.#average.set(tick.symbol, average + (tick.price - average) * 0.05)
    const distance = tick.price / average - 1
    if (Math.abs(distance) < 0.0045) return null
    return { ...tick, side: distance < 0 ? 'buy' : 'sell', reason: `${percent(distance)} from the average` }
  }

  @monitor({ sample: 0.1 })
  check(order: Order): boolean {
    const signed = order.side === 'buy' ? order.size : -order.size
    const next = (this.#position.get(order.symbol) ?? 0) + signed
    if (Math.abs(next) > 4_000)
      throw new RiskLimitError(`${order.symbol}: a position of ${next} is above 4000`)
    return order.size >= 60
  }

  @monitor({ sample: 1 })
  execute(order: Order): number {
    const signed = order.side === 'buy' ? order.size : -order.size
    const position = (this.#position.get(order.symbol) ?? 0) + signed
    this.#position.set(order.symbol, position)
    return position
  }

  onTick(tick: Tick): void {
    const order = this.quote(tick)
    if (order === null) return
    try {
      if (this.check(order)) this.execute(order)
    } catch (error) {
      if (!(error instanceof RiskLimitError)) throw error
    }
  }
}

/** Prices that wander, from a small generator with a seed: every run trades the same. */
function* market(ticks: number): Generator<Tick> {
  let state = 20_261_120
  const random = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32
  const prices = SYMBOLS.map((_, i) => 40 + 60 * i)
  for (let i = 0; i < ticks; i++) {
    const which = Math.floor(random() * SYMBOLS.length)
    const price = (prices[which] ?? 1) * (1 + (random() - 0.5) * 0.004)
    prices[which] = price
    yield { symbol: SYMBOLS[which] ?? '', price, size: 1 + Math.floor(random() * 100) }
  }
}

const path = freshStorePath('trading')
configure({ store: { path } })
const desk = new Desk()
let inPacket = 0
let peakShare = 0
const startedMs = performance.now()
for (const tick of market(TICKS)) {
  desk.onTick(tick)
  if (++inPacket < TICKS_PER_PACKET) continue
  inPacket = 0
  const { usedBytes, capacityBytes } = health().ring
  peakShare = Math.max(peakShare, usedBytes / capacityBytes)
  // Between two packets the program does what programs do: it returns to its event loop.
  await new Promise(resolve => setImmediate(resolve))
}
const burstMs = performance.now() - startedMs
const account = await shutdown()

interface Estimate {
  readonly function: string
  readonly recorded: number
  readonly estimate: number
  readonly exact: number
  readonly p99: number | null
}

const store = openStore(path)
const rows = store.sql(
  `SELECT t.function, count(r.call_id) AS recorded, coalesce(sum(r.weight), 0) AS estimate, t.calls AS exact,
     t.p99_ms AS p99 FROM function_totals t LEFT JOIN recent_calls r USING (function)
   GROUP BY t.function ORDER BY t.calls DESC`,
) as unknown as Estimate[]
const calls = rows.reduce((sum, row) => sum + row.exact, 0)

heading(`${count(TICKS)} ticks, ${count(calls)} monitored calls in ${duration(burstMs)}`)
say(`${count(Math.round(calls / (burstMs / 1_000)))} calls per second, on one thread.`)

heading('Estimated from the records, and counted')
table<Estimate>(
  [
    { header: 'function', cell: row => row.function },
    { header: 'recorded', align: 'right', cell: row => count(row.recorded) },
    { header: 'sum of weights', align: 'right', cell: row => count(Math.round(row.estimate)) },
    { header: 'exact calls', align: 'right', cell: row => count(row.exact) },
    { header: 'error', align: 'right', cell: row => percent(Math.abs(row.estimate / row.exact - 1)) },
    { header: 'p99', align: 'right', cell: row => duration(row.p99) },
  ],
  rows,
)
aside('A sample of n records is off by about 1/√n. What was dropped is missing from the estimate, too.')

heading('Where every record went')
accountTable(account)
say(`At the fullest moment ${percent(peakShare)} of the ring was in use.`)
const losses = store.losses()
for (const loss of losses) {
  const records = loss.count === null ? 'unknown' : count(loss.count)
  say(`${loss.minute}: ${records} of ${loss.function} (${loss.reason})`)
}
say(`Errors are never sampled: ${count(account.errors.stored)} risk limits hit, all stored.`)
store.close()
aside(path)
