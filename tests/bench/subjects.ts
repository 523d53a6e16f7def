/**
 * The functions and values of the rows about calls, the same for Callsight and for its peers. Values change from call
 * to call, so that nobody profits from seeing one object for ever.
 */

export interface Order {
  readonly quantity: number
  readonly limit: number
  readonly side: string
  readonly venue: string
}

export interface Quote {
  readonly symbol: string
  readonly cost: number
}

const CURRENCIES = ['USD', 'GBP', 'JPY', 'CHF'] as const
const VENUES = ['XETR', 'XNAS', 'XLON', 'XPAR'] as const

/** A power of two: {@link pick} masks. */
const VARIANTS = 16

export const SYMBOLS: readonly string[] = variants(i => `EUR${CURRENCIES[i % 4]}`)
export const ORDERS: readonly Order[] = variants(i => ({
  quantity: 5 + i,
  limit: 101.25 + i,
  side: i % 2 === 0 ? 'buy' : 'sell',
  venue: VENUES[i >>> 2] as string,
}))

/** An argument of about 1 KB as JSON, of the shape that requests have. */
export const REQUESTS: readonly object[] = variants(i => ({
  requestId: `7f3c1e0a-4b52-4d1f-9c55-0e6a1d2b3c${(10 + i).toString(16)}`,
  path: '/orders/place/confirm',
  attempt: i,
  ratio: 0.25 + i,
  urgent: i % 2 === 0,
  customer: { id: 40_117 + i, tier: 'gold', country: 'DE', since: '2019-04-01' },
  agent:
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36',
  note: 'Please deliver to the side entrance between nine and eleven; the bell does not work. '
    .repeat(3)
    .slice(0, 250),
  lines: Array.from({ length: 6 }, (_, line) => ({
    sku: `AB-${1000 + line}`,
    count: line + 1,
    price: 19.99 + line,
  })),
  remark: 'The customer has called twice about this delivery and wants to be told when it leaves the house.',
}))

function variants<T>(make: (index: number) => T): T[] {
  return Array.from({ length: VARIANTS }, (_, index) => make(index))
}

/** The value of the nth call. */
export const pick = <T>(values: readonly T[], n: number): T => values[n & (VARIANTS - 1)] as T

/** Two scalars in, one out. */
export function add(symbol: string, quantity: number): number {
  return symbol.length + quantity
}

/** A string and an object of four fields in, an object of two out. */
export function place(symbol: string, order: Order): Quote {
  return { symbol, cost: order.quantity * order.limit }
}

/** As cheap as a function can be: what is measured is the wrapper. */
export function weigh(symbol: string, order: Order): number {
  return symbol.length + order.quantity
}

export function refuse(symbol: string): never {
  throw new Error(`no market for ${symbol}`)
}

export function* tenValues(first: number): Generator<number> {
  for (let i = 0; i < 10; i++) yield first + i
}
