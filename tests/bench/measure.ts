import { setTimeout as sleep } from 'node:timers/promises'
import { Bench } from 'tinybench'
import { median } from './support/statistics.js'

/** Calls per look at the clock: the clock itself costs as much as what is measured. */
const CALLS_PER_LOOK = 1_000
const CALLS_PER_BLOCK = 5_000
/** As many as the largest queue of spans holds that OpenTelemetry has by default. */
const CALLS_PER_SETTLED_BLOCK = 2_000
const BLOCKS = 40
/** The compiler is done with the code by then. */
const WARM_UP_BLOCKS = 10
/** Longer than the writer and the peers' batch processors need to see a block. */
const SETTLE_MS = 120

export type Body = (n: number) => void

/** Nanoseconds per call of something that leaves nothing behind. */
export async function perCall(body: Body): Promise<number> {
  const block = (): void => {
    for (let i = 0; i < CALLS_PER_LOOK; i++) body(i)
  }
  const bench = new Bench({ time: 600, warmupTime: 300 })
  bench.add('calls', block)
  await bench.run()
  const result = bench.tasks[0]?.result
  if (result === undefined || !('latency' in result)) throw new Error('tinybench gave no result')
  return (result.latency.p50 * 1e6) / CALLS_PER_LOOK
}

export interface BlockOptions {
  readonly callsPerBlock?: number
  readonly blocks?: number
  /** Waits until what a block has left behind is gone. */
  readonly settle: () => Promise<unknown>
}

/** Nanoseconds per call until it returns; what it leaves behind is cleared away between the blocks, outside of the time. */
export async function perCallInBlocks(
  body: Body,
  { callsPerBlock = CALLS_PER_BLOCK, blocks = BLOCKS, settle }: BlockOptions,
): Promise<number> {
  const figures: number[] = []
  for (let block = 0; block < blocks; block++) {
    await settle()
    const start = process.hrtime.bigint()
    for (let i = 0; i < callsPerBlock; i++) body(i)
    figures.push(Number(process.hrtime.bigint() - start) / callsPerBlock)
  }
  await settle()
  return median(figures.slice(WARM_UP_BLOCKS))
}

/** What calls cost this thread. */
export interface ThreadCost {
  /** All of it: until the calls have returned, and what timers and callbacks do about them afterwards. */
  readonly wholeNs: number
  readonly untilReturnNs: number
}

/** Of one block of calls; see {@link perCallOnThread}. */
export async function blockOnThread(
  body: Body,
  { callsPerBlock, settle }: { readonly callsPerBlock: number; readonly settle: () => Promise<unknown> },
): Promise<ThreadCost> {
  const before = performance.eventLoopUtilization()
  const start = process.hrtime.bigint()
  for (let i = 0; i < callsPerBlock; i++) body(i)
  const untilReturnNs = Number(process.hrtime.bigint() - start) / callsPerBlock
  await settle()
  await sleep(SETTLE_MS)
  return {
    wholeNs: (performance.eventLoopUtilization(before).active * 1e6) / callsPerBlock,
    untilReturnNs,
  }
}

/**
 * Nanoseconds per call that this thread was at work, also later in timers and callbacks, by the time its event loop did not
 * wait. `settled` says when the work is done; the rest of what is to come is given {@link SETTLE_MS}.
 */
export async function perCallOnThread(
  body: Body,
  { callsPerBlock = CALLS_PER_SETTLED_BLOCK, blocks = BLOCKS, settle }: BlockOptions,
): Promise<ThreadCost> {
  const costs: ThreadCost[] = []
  for (let block = 0; block < blocks; block++)
    costs.push(await blockOnThread(body, { callsPerBlock, settle }))
  const warm = costs.slice(WARM_UP_BLOCKS)
  return {
    wholeNs: median(warm.map(({ wholeNs }) => wholeNs)),
    untilReturnNs: median(warm.map(({ untilReturnNs }) => untilReturnNs)),
  }
}

/** Nanoseconds per call awaited one after the other, in turns with the same without the recorder. */
export async function perAwaitedCall(
  call: (n: number) => Promise<unknown>,
  bare: (n: number) => Promise<unknown>,
  { callsPerBlock = CALLS_PER_BLOCK, blocks = BLOCKS, settle }: BlockOptions,
): Promise<{ callNs: number; bareNs: number; addedNs: number }> {
  const timed = async (fn: (n: number) => Promise<unknown>): Promise<number> => {
    await settle()
    const start = process.hrtime.bigint()
    for (let i = 0; i < callsPerBlock; i++) await fn(i)
    return Number(process.hrtime.bigint() - start) / callsPerBlock
  }
  const pairs: [callNs: number, bareNs: number][] = []
  for (let block = 0; block < blocks; block++) pairs.push([await timed(call), await timed(bare)])
  const warm = pairs.slice(WARM_UP_BLOCKS)
  return {
    callNs: median(warm.map(([callNs]) => callNs)),
    bareNs: median(warm.map(([, bareNs]) => bareNs)),
    addedNs: median(warm.map(([callNs, bareNs]) => callNs - bareNs)),
  }
}
