import { monitor } from 'callsight'

interface Order {
  readonly item: string
  readonly quantity: number
  readonly password: string
}

class Orders {
  static #open = 0

  @monitor()
  place(order: Order): string {
    Orders.#open++
    return `${order.quantity} ${order.item}`
  }

  @monitor()
  async ship(id: number): Promise<string> {
    await null
    if (id > Orders.#open) throw new RangeError(`no such order: ${id}`)
    return this.#label(id)
  }

  @monitor({ name: 'Orders.label' })
  #label(id: number): string {
    return `order ${id}`
  }
}

const half = monitor(function half(n: number): number {
  if (n % 2 !== 0) throw new TypeError(`odd: ${n}`)
  return n / 2
})

const orders = new Orders()
const seen: unknown[] = [
  orders.place({ item: 'tea', quantity: 2, password: 'hunter2' }),
  await orders.ship(1),
  await orders.ship(7).catch(String),
  half(8),
]
try {
  half(3)
} catch (error) {
  seen.push(String(error))
}
console.log(JSON.stringify(seen))
