const { monitor } = require('callsight')

let open = 0

class Orders {
  place(order) {
    open++
    return `${order.quantity} ${order.item}`
  }

  async ship(id) {
    await null
    if (id > open) throw new RangeError(`no such order: ${id}`)
    return this.label(id)
  }

  label(id) {
    return `order ${id}`
  }
}
monitor(Orders)

const half = monitor(function half(n) {
  if (n % 2 !== 0) throw new TypeError(`odd: ${n}`)
  return n / 2
})

async function main() {
  const orders = new Orders()
  const seen = [
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
}

main()
