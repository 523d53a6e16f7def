/**
 * Eight things that make a recorder expensive or dangerous. For each: what capturing it costs in time and memory,
 * and what is stored of it.
 */
import { configure, flush, health, monitor, openStore, shutdown } from 'callsight'
import { pressures } from './memory-pressure/pressures.js'
import { peakRss } from './memory-pressure/rss.js'
import { accountTable, aside, bytes, count, cut, duration, freshStorePath, heading, say } from './print.js'

const REPEATS = 1_000
const FLOOD_CALLS = 400_000
const MINUTE_CALLS = 60 * 20_000
const MAX_JSON_SHOWN = 220

const path = freshStorePath('memory')
configure({ store: { path } })

/** The writer thread, its SQLite and the first compiled code are not what is measured here. */
async function warmUp(): Promise<void> {
  const warm = monitor((value: unknown) => value, { name: 'warm-up', capture: { result: false } })
  for (let i = 0; i < 20_000; i++) warm({ i, text: 'warm', list: [i, i] })
  await flush()
}

async function single(number: number, name: string, title: string, value: unknown): Promise<void> {
  const capture = monitor((_: unknown) => undefined, { name })
  const watch = peakRss()
  const startedMs = performance.now()
  capture(value)
  const firstMs = performance.now() - startedMs
  for (let i = 1; i < REPEATS; i++) capture(value)
  const eachMs = (performance.now() - startedMs - firstMs) / (REPEATS - 1)
  const grownBytes = watch.grownBytes()
  await flush()
  heading(`${number}  ${title}`)
  say(
    `first capture ${duration(firstMs)}, then ${duration(eachMs)} each; ` +
      `peak memory +${bytes(grownBytes)} in ${count(REPEATS)} calls`,
  )
  say(`stored  ${storedArgs(name)}`)
}

function storedArgs(name: string): string {
  const store = openStore(path)
  const [call] = store.calls({ function: name, limit: 1 })
  store.close()
  // A run of one character says nothing after its first few.
  const json = (call?.args ?? '(nothing)').replace(/(.)\1{30,}/g, run => `${run.slice(0, 10)}…`)
  return cut(json, MAX_JSON_SHOWN)
}

await warmUp()
let number = 0
for (const pressure of pressures) {
  const value = pressure.build()
  await single(++number, pressure.name, pressure.title, value)
  if (pressure.after !== undefined) say(pressure.after())
}

const handle = monitor((id: number, body: { path: string; items: number[] }) => body.items.length + id, {
  name: 'flood.handle',
})
heading(`${++number}  The queue overflows: ${count(FLOOD_CALLS)} calls without a pause, all recorded`)
const before = health().account.calls
const flood = peakRss()
const floodStartMs = performance.now()
let fullest = 0
let longestMs = 0
for (let i = 0; i < FLOOD_CALLS; i++) {
  const callStartMs = performance.now()
  handle(i, { path: `/orders/${i}/with/a/path/of/some/length`, items: [i, i + 1, i + 2] })
  longestMs = Math.max(longestMs, performance.now() - callStartMs)
  if (i % 10_000 === 0) fullest = Math.max(fullest, health().ring.usedBytes)
}
const floodMs = performance.now() - floodStartMs
const after = health()
const lost = (after.account.calls.dropped.queue_full ?? 0) - (before.dropped.queue_full ?? 0)
say(
  `${duration(floodMs / FLOOD_CALLS)} a call, the longest ${duration(longestMs)} (pauses of Node included); peak memory ` +
    `+${bytes(flood.grownBytes())}; the queue held up to ${bytes(fullest)} of ${bytes(after.ring.capacityBytes)}`,
)
say(`${count(lost)} records found it full: dropped, and counted as queue_full`)
await flush()
say(`stored  ${storedArgs('flood.handle')}`)

const tick = monitor((price: number) => price * 2, { name: 'minute.tick', sample: 0.01 })
heading(`${++number}  A minute of 20,000 calls a second, compressed: sampled at 1 %`)
const minute = peakRss()
const minuteStartMs = performance.now()
for (let i = 0; i < MINUTE_CALLS; i++) tick(i)
const minuteMs = performance.now() - minuteStartMs
say(
  `${count(MINUTE_CALLS)} calls in ${duration(minuteMs)}, ${duration(minuteMs / MINUTE_CALLS)} a call; ` +
    `peak memory +${bytes(minute.grownBytes())}`,
)
const account = await shutdown()
const store = openStore(path)
const [exact] = store.top().filter(row => row.function === 'minute.tick')
const [sampled] = store.sql(
  `SELECT count(*) AS records, sum(weight) AS estimate FROM recent_calls WHERE function = 'minute.tick'`,
)
say(
  `counted ${count(exact?.calls ?? 0)}; ${count(Number(sampled?.['records']))} records stored, whose weights ` +
    `add up to ${count(Math.round(Number(sampled?.['estimate'])))}`,
)

heading('Where every record went')
accountTable(account)
for (const loss of store.losses()) {
  say(`${loss.function}: ${loss.count === null ? 'unknown' : count(loss.count)} × ${loss.reason}`)
}
store.close()
aside(path)
