import { StoreWriter } from '../../lib/store/insert.js'
import { openForWriting } from '../../lib/store/open.js'

export const GENERATED_BOOT = '00000000000000aa'

/** The same store each time: Park and Miller's generator. */
function generator(): (below: number) => number {
  let state = 20_261_121
  return below => {
    state = (state * 48_271) % 2_147_483_647
    return state % below
  }
}

export interface GeneratedOptions {
  readonly calls: number
  /** Every so many calls one fails. */
  readonly callsPerError?: number
  /** Characters of the arguments of a call, drawn up to this. */
  readonly argsLength?: number
  readonly endUs: number
  readonly spanUs: number
  readonly boot?: string
}

/**
 * A store as the writer makes it, with traces whose calls nest as calls do: each is within the one that made it, and some
 * made together overlap.
 */
export function generate(path: string, options: GeneratedOptions): void {
  const { calls, callsPerError = 200, argsLength = 60, endUs, spanUs, boot = GENERATED_BOOT } = options
  const random = generator()
  const db = openForWriting(path)
  const store = new StoreWriter(db)
  const startUs = endUs - spanUs
  const info = {
    boot,
    pid: 4711,
    script: 'shop.js',
    host: 'elsewhere',
    nodeVersion: 'v20',
    version: '0',
    startedUs: startUs,
  }
  const processId = store.registerProcess(info)
  const functionIds = Array.from({ length: 20 }, (_, i) => store.functionId(`Service${i % 5}.method${i}`))
  let made = 0
  let seq = 0
  const put = (endNs: number, durationNs: number, trace: number, parent: number, call: number): void => {
    const functionId = functionIds[call % functionIds.length] as number
    const args = JSON.stringify(['x'.repeat(random(argsLength)), call])
    const endOfCallUs = Math.floor(endNs / 1000)
    if (call % callsPerError === 0) {
      store.error({
        endUs: endOfCallUs,
        salt: call % 2048,
        functionId,
        processId,
        ring: 0,
        seq: ++seq,
        durationNs,
        call,
        trace,
        parent,
        flags: 1,
        shape: null,
        args,
        error: 'TimeoutError',
        message: `no answer for ${call}`,
        stack: `TimeoutError: no answer for ${call}\n    at place (file:///app/orders.js:120:14)`,
        details: null,
        fingerprint: (call % 3).toString(16).padStart(16, '0'),
        cuts: null,
      })
    } else {
      store.call(
        endOfCallUs,
        call % 2048,
        functionId,
        processId,
        durationNs,
        1,
        call,
        trace,
        parent,
        0,
        null,
        args,
        `{"n":${call}}`,
        null,
      )
    }
  }
  store.begin()
  while (made < calls) {
    const trace = made + 1
    const size = Math.min(calls - made, 1 + random(12))
    const rootNs = 20_000 + random(5_000_000)
    // Nanoseconds since the start: the sum with Unix time would lose them.
    const beginNs = Math.floor(((spanUs * 1000) / calls) * made)
    const base = { startNs: beginNs, durationNs: rootNs }
    let inner = base
    let parent = trace
    for (let i = 1; i < size; i++) {
      const call = trace + i
      const durationNs = Math.max(1, Math.floor(inner.durationNs * (0.1 + random(800) / 1000)))
      const startNs = inner.startNs + random(inner.durationNs - durationNs + 1)
      put(startUs * 1000 + startNs + durationNs, durationNs, trace, parent, call)
      // Half of them make the next one, half are made beside it.
      if (random(2) === 0) {
        inner = { startNs, durationNs }
        parent = call
      }
    }
    put(startUs * 1000 + beginNs + rootNs, rootNs, trace, 0, trace)
    made += size
    if (made % 4_000 < size) {
      store.commit()
      store.begin()
    }
  }
  const minutes = Math.max(1, Math.ceil(spanUs / 60_000_000))
  for (let minute = 0; minute < minutes; minute++) {
    const each = Math.floor(calls / minutes)
    const delta = {
      calls: each,
      errors: 0,
      kept: each,
      timed: each,
      durationSumNs: each * 1e6,
      durationMaxNs: 5e6,
      buckets: new Map([[100, each]]),
    }
    store.addTotals(Math.floor(startUs / 60_000_000) + minute, functionIds[0] as number, processId, delta)
  }
  store.lane(processId, 0, 0, calls - seq, calls - seq, '{}', calls - seq)
  store.lane(processId, 0, 1, seq, seq, '{}', seq)
  store.endProcess(processId, endUs, 'clean')
  store.commit()
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  db.close()
}
