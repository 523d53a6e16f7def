/**
 * Prints how many bytes of heap a recorded call takes, as JSON by kind and size of its argument. To be run with a young
 * generation so large that nothing is collected while it counts.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { configure, flush, health, monitor, shutdown } from 'callsight'

const CALLS = 200
const WARM_ROUNDS = 20
const ROUNDS = 5

const sizes = [10, 1_000, 100_000, 1_000_000]
const flat = (length: number): string => Buffer.alloc(length, 'abcdefgh ').toString('latin1')
const numbers = (length: number): number[] => Array.from({ length }, (_, i) => i)
const order = { quantity: 5, limit: 101.25, side: 'buy', venue: 'XETR' }

/** By kind and size: what is passed. */
const kinds: Record<string, (size: number) => unknown[]> = {
  list: size => [numbers(size)],
  'list of objects': size => [numbers(size).map(id => ({ id }))],
  'typed array': size => [new Float64Array(size)],
  text: size => [flat(size)],
  'text in an object': size => [{ id: 1, text: flat(size) }],
  map: size => [new Map(numbers(size).map(i => [i, i]))],
  set: size => [new Set(numbers(size))],
  object: size => [Object.fromEntries(numbers(size).map(i => [`k${i}`, i]))],
}

const folder = mkdtempSync(join(tmpdir(), 'callsight-allocation-'))
configure({ store: { path: join(folder, 'calls.db') } })

const bodies = new Map<string, () => void>()
const none = monitor(function none() {
  return 1
})
bodies.set('none', () => none())
const scalars = monitor(function scalars(symbol: string, quantity: number) {
  return symbol.length + quantity
})
bodies.set('scalars', () => scalars('EURUSD', 5))
const orders = monitor(function orders(_symbol: string, wanted: typeof order) {
  return wanted
})
bodies.set('order', () => orders('EURUSD', order))
for (const [kind, make] of Object.entries(kinds)) {
  for (const size of sizes) {
    const args = make(size)
    const record = monitor(function record(..._args: unknown[]) {
      return 1
    })
    bodies.set(`${kind} ${size}`, () => record(...args))
  }
}

const least: Record<string, number> = {}
for (let round = 0; round < WARM_ROUNDS + ROUNDS; round++) {
  await flush()
  for (const [name, body] of bodies) {
    const before = process.memoryUsage().heapUsed
    for (let i = 0; i < CALLS; i++) body()
    const bytes = (process.memoryUsage().heapUsed - before) / CALLS
    if (round >= WARM_ROUNDS) least[name] = Math.min(least[name] ?? Number.POSITIVE_INFINITY, bytes)
  }
}
const { dropped } = health().account.calls
await shutdown()
rmSync(folder, { recursive: true })
process.stdout.write(JSON.stringify({ least, dropped }))
