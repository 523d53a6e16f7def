/**
 * A small shop under load, and its dashboard: searches, orders, a bank that is sometimes out of reach, a report that
 * holds up everybody. Open the address it prints; it goes on until Ctrl-C, or for as many minutes as its argument says.
 */
import { configure, monitor, shutdown, startDashboard } from 'callsight'
import { aside, freshStorePath, heading, say } from './print.js'

const minutes = Number(process.argv[2] ?? Number.POSITIVE_INFINITY)
const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
const startedMs = Date.now()
/** Seconds since the shop opened. */
const clock = (): number => (Date.now() - startedMs) / 1_000

interface Item {
  readonly sku: string
  readonly amount: number
}

interface Order {
  readonly id: number
  readonly customer: { readonly name: string; readonly country: string }
  readonly items: readonly Item[]
  readonly card: { readonly number: string; readonly cvv: string }
}

class PaymentDeclined extends Error {
  override readonly name = 'PaymentDeclined'
  readonly code = 'E_DECLINED'
}

class OutOfStock extends Error {
  override readonly name = 'OutOfStock'
}

class BankUnreachable extends Error {
  override readonly name = 'BankUnreachable'
}

class Search {
  @monitor({ slow: '60ms', sample: 0.2 })
  async query(text: string, options: { readonly fuzzy: boolean; readonly limit: number }): Promise<number> {
    // Fuzzy searches look at everything.
    await pause(options.fuzzy ? 30 + Math.random() * 70 : 1 + Math.random() * 6)
    return this.rank(text, options.limit)
  }

  @monitor({ sample: 0.05 })
  rank(text: string, limit: number): number {
    let sum = 0
    for (let i = 0; i < limit * 200; i++) sum += Math.sqrt(i * text.length)
    return sum
  }
}

class Stock {
  readonly #left = new Map<string, number>()

  @monitor({ sample: 0.5 })
  reserve(items: readonly Item[]): void {
    for (const { sku, amount } of items) {
      const left = this.#left.get(sku) ?? 900
      if (left < amount) {
        this.#left.delete(sku)
        throw new OutOfStock(`${sku}: ${left} left, ${amount} ordered`)
      }
      this.#left.set(sku, left - amount)
    }
  }
}

class Bank {
  @monitor({ slow: '120ms' })
  async authorize(_card: Order['card'], country: string, cents: number): Promise<string> {
    // Every few minutes the way to two countries is disturbed.
    const isOut = clock() % 300 > 150 && clock() % 300 < 220 && (country === 'FR' || country === 'NL')
    await pause(isOut ? 140 + Math.random() * 160 : 8 + Math.random() * 22)
    if (isOut && Math.random() < 0.7) throw new BankUnreachable('connect ETIMEDOUT 203.0.113.7:443')
    return `auth-${country}-${cents}`
  }
}

class Payments {
  readonly #bank = new Bank()

  @monitor()
  async charge(order: Order, cents: number): Promise<string> {
    try {
      return await this.#bank.authorize(order.card, order.customer.country, cents)
    } catch (cause) {
      throw new PaymentDeclined(`order ${order.id}: the bank did not answer`, { cause })
    }
  }
}

class Cart {
  @monitor({ sample: 0.2 })
  price(items: readonly Item[], country: string): number {
    const net = items.reduce((sum, item) => sum + item.amount * 1_250, 0)
    return Math.round(net * (country === 'CH' ? 1.081 : 1.19))
  }
}

class Mailer {
  @monitor({ sample: 0.1 })
  async send(_to: string, _subject: string): Promise<void> {
    await pause(3 + Math.random() * 9)
  }
}

class Orders {
  readonly #stock = new Stock()
  readonly #payments = new Payments()
  readonly #cart = new Cart()
  readonly #mailer = new Mailer()

  @monitor()
  async place(order: Order): Promise<string> {
    this.#stock.reserve(order.items)
    const cents = this.#cart.price(order.items, order.customer.country)
    const receipt = await this.#payments.charge(order, cents)
    await this.#mailer.send(order.customer.name, `Order ${order.id}`)
    return receipt
  }
}

class Reports {
  /** On the thread of everybody else, as reports are at first. */
  @monitor()
  monthly(month: string): number {
    const untilMs = performance.now() + 620
    let rows = 0
    while (performance.now() < untilMs) rows += month.length
    return rows
  }
}

const SKUS = ['lamp-brass', 'desk-oak', 'chair-07', 'rug-wool', 'shelf-xl', 'clock-wall']
const COUNTRIES = ['DE', 'AT', 'CH', 'FR', 'NL']
const WORDS = ['lamp', 'oak desk', 'wool rug', 'wall clock', 'shelf', 'reading chair']
const any = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)] as T

function newOrder(id: number): Order {
  const items = Array.from({ length: 1 + Math.floor(Math.random() ** 2 * 6) }, () => ({
    sku: any(SKUS),
    amount: 1 + Math.floor(Math.random() * 3),
  }))
  return {
    id,
    customer: { name: `customer ${1_000 + (id % 613)}`, country: any(COUNTRIES) },
    items,
    card: { number: '4111 1111 1111 1111', cvv: '737' },
  }
}

const path = freshStorePath('dashboard')
configure({ store: { path }, stalls: { threshold: 400 } })
const search = new Search()
const orders = new Orders()
const reports = new Reports()
const { url } = await startDashboard({ keepAlive: true })
heading('A shop, and what it does')
say(url)
aside('Open the address; Ctrl-C ends the shop.')

let id = 0
let reported = 0
const isOpen = (): boolean => clock() < minutes * 60
const ignore = (): void => {
  // The recording holds it.
}
process.once('SIGINT', () => void shutdown().then(() => process.exit()))
while (isOpen()) {
  // Customers come in waves.
  const rush = 1 + 0.6 * Math.sin(clock() / 70) + 0.3 * Math.sin(clock() / 23)
  for (let i = 0; i < 3 * rush; i++) {
    const text = any(WORDS)
    void search.query(text, { fuzzy: Math.random() < 0.12, limit: 20 }).catch(ignore)
    if (Math.random() < 0.35) void orders.place(newOrder(++id)).catch(ignore)
  }
  if (clock() > 290 * (reported + 1)) reports.monthly(`2026-${String(++reported).padStart(2, '0')}`)
  await pause(50)
}
await shutdown()
process.exit()
