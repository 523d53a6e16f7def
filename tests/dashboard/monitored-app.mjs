// A program that records and shows its own recording: it calls monitored functions until its input ends, then it prints
// the account. It does nothing to protect itself from its dashboard.
import { flush, health, monitor, shutdown, startDashboard } from '../../dist/index.js'

let calls = 0
const work = monitor(function work(n) {
  calls++
  if (n % 10 === 0) throw new RangeError(`refused ${n}`)
  return n
})
const timer = setInterval(() => {
  for (let i = 0; i < 10; i++) {
    try {
      work(calls)
    } catch {}
  }
}, 2)
work(1)
await flush()
const dashboard = await startDashboard()
process.stdout.write(`${dashboard.url}\n`)
process.stdin.resume()
process.stdin.on('end', async () => {
  clearInterval(timer)
  const account = await shutdown()
  process.stdout.write(`${JSON.stringify({ calls, account, state: health().state })}\n`)
})
