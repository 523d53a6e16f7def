/** The work of the HTTP service: three nested calls, 100 to 200 µs a request, most of it JSON. */
import { createHash } from 'node:crypto'
import type { Variant } from './variants.js'

interface Order {
  readonly id: number
  readonly customer: string
  readonly items: readonly { readonly sku: string; readonly quantity: number; readonly cents: number }[]
}

interface PricedOrder {
  readonly order: Order
  readonly lines: readonly number[]
  readonly total: number
}

export const ITEMS = 120

export function orderText(id: number): string {
  const items = Array.from({ length: ITEMS }, (_, index) => ({
    sku: `SKU-${(id * 31 + index * 7) % 10_000}`,
    quantity: 1 + ((id + index) % 9),
    cents: 199 + ((id * index) % 5_000),
  }))
  return JSON.stringify({ id, customer: `customer ${id % 1_000}`, items } satisfies Order)
}

const KEPT = 1_000

export function orderService({ wrap }: Variant): (text: string) => Promise<string> {
  const kept = new Map<number, string>()
  const parse = wrap(
    'parse',
    (text: string) => JSON.parse(text) as Order,
    ({ id, customer }, text) => ({ 'order.id': id, 'order.customer': customer, 'text.length': text.length }),
  )
  const price = wrap(
    'price',
    (text: string): PricedOrder => {
      const order = parse(text)
      const lines = order.items.map(({ quantity, cents }) => Math.round(quantity * cents * 0.97))
      return { order, lines, total: lines.reduce((sum, line) => sum + line, 0) }
    },
    ({ total }, text) => ({ 'order.total': total, 'text.length': text.length }),
  )
  return wrap(
    'store',
    async (text: string) => {
      const { order, total } = price(text)
      const content = JSON.stringify({ ...order, total })
      const digest = createHash('sha256').update(content).digest('hex')
      await new Promise(setImmediate)
      kept.set(order.id % KEPT, content)
      return digest
    },
    (digest, text) => ({ digest, 'text.length': text.length }),
  )
}
