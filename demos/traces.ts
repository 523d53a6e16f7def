/**
 * One trace over an HTTP request and a worker thread, and the hindsight of a failure: the calls that led to it are
 * there, although one call in a thousand is sampled.
 */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { configure, continueTrace, flush, monitor, openStore, shutdown, traceparent } from 'callsight'
import { command, freshStorePath, heading, say } from './print.js'

const path = freshStorePath('traces')
configure({ store: { path } })

/** The header goes to the worker in the message, and back to the trace there. */
const PRICING_WORKER = `
  const { parentPort } = require('node:worker_threads')
  import(${JSON.stringify(import.meta.resolve('callsight'))}).then(({ continueTrace, monitor }) => {
    const price = monitor(function price(symbol) { return symbol.length * 17 })
    parentPort.on('message', ({ header, symbol }) =>
      continueTrace(header, () => parentPort.postMessage(price(symbol))),
    )
  })`
const pricing = new Worker(PRICING_WORKER, { eval: true, execArgv: [] })

const quote = monitor(async function quote(symbol: string): Promise<number> {
  pricing.postMessage({ header: traceparent(), symbol })
  const [price] = (await once(pricing, 'message')) as [number]
  return price
})

const server = createServer((request, response) =>
  continueTrace(request.headers['traceparent'], async () => {
    response.end(String(await quote(String(request.url).slice(1))))
  }),
)
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo

const buy = monitor(async function buy(symbol: string): Promise<number> {
  const header = traceparent()
  const headers = header === null ? {} : { traceparent: header }
  const answer = await fetch(`http://127.0.0.1:${port}/${symbol}`, { headers })
  return Number(await answer.text())
})

class Ledger {
  #balance = 100

  @monitor({ sample: 0.001 })
  reserve(amount: number): number {
    this.#balance -= amount
    return this.#balance
  }

  @monitor({ sample: 0.001 })
  settle(orders: readonly number[]): void {
    for (const amount of orders) {
      if (this.reserve(amount) < 0) throw new RangeError(`overdrawn by ${amount}`)
    }
  }
}

const price = await buy('EURUSD')
try {
  new Ledger().settle([30, 45, price])
} catch {
  // It is in the recording.
}
await flush()
server.close()
await pricing.terminate()
await shutdown()

const cli = fileURLToPath(new URL('cli/main.js', import.meta.resolve('callsight')))

function showTrace(id: string | undefined): void {
  command(`npx callsight trace ${id} --db ${path}`)
  const env = { ...process.env, COLUMNS: String((process.stdout.columns ?? 120) - 2) }
  const shown = spawnSync(process.execPath, [cli, 'trace', String(id), '--db', path], { env })
  console.log(`\n${shown.stdout}${shown.stderr}`.trimEnd().replaceAll('\n', '\n  '))
}

using store = openStore(path)
const [bought] = store.calls({ function: 'buy' })
const [failed] = store.errors({ function: 'Ledger.settle' })
heading('One trace: a request over HTTP, and a message to a worker thread')
say('Each side sends traceparent() along, the other side goes on with continueTrace().')
showTrace(bought?.trace_id)

heading('Hindsight: what led to a failure, at a sample rate of 0.001')
say('Functions, times and parents of unsampled calls are remembered for a while, arguments are not.')
showTrace(failed?.trace_id)
