import 'reflect-metadata'
import { monitor } from 'callsight'

class Order {
  constructor(
    readonly item: string,
    readonly quantity: number,
    readonly password: string,
  ) {}
}

/** What a web framework does with its routes; it must find the same metadata whichever decorator comes first. */
function role(name: string) {
  return (_target: object, _key: string | object, descriptor?: PropertyDescriptor): void => {
    if (descriptor !== undefined) Reflect.defineMetadata('role', name, descriptor.value as object)
  }
}

class Orders {
  static open = 0

  @monitor()
  @role('clerk')
  place(order: Order): string {
    Orders.open++
    return `${order.quantity} ${order.item}`
  }

  @role('driver')
  @monitor()
  async ship(id: number): Promise<string> {
    await null
    if (id > Orders.open) throw new RangeError(`no such order: ${id}`)
    return this.label(id)
  }

  @monitor()
  label(id: number): string {
    return `order ${id}`
  }
}

const half = monitor(function half(n: number): number {
  if (n % 2 !== 0) throw new TypeError(`odd: ${n}`)
  return n / 2
})

const { prototype } = Orders
const metadata = [
  Reflect.getMetadata('role', prototype.place),
  Reflect.getMetadata('role', prototype.ship),
  Reflect.getMetadata('design:paramtypes', prototype, 'place')?.[0] === Order,
  Reflect.getMetadata('design:returntype', prototype, 'ship') === Promise,
]
if (JSON.stringify(metadata) !== '["clerk","driver",true,true]') {
  throw new Error(`metadata was lost: ${JSON.stringify(metadata)}`)
}

const orders = new Orders()
const seen: unknown[] = [
  orders.place(new Order('tea', 2, 'hunter2')),
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
