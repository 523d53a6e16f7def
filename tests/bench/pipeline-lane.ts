/**
 * A recording thread and a writer in one thread, so that each half of the pipeline can be measured by itself: records
 * are put into the ring by the project's producer and taken out of it by a session of the writer, by turns.
 */
import { join } from 'node:path'
import type { MessagePort } from 'node:worker_threads'
import { DEFAULTS } from '../../lib/config/defaults.js'
import { takeAnchor } from '../../lib/queue/clock.js'
import { Control } from '../../lib/queue/control.js'
import { LaneF64 } from '../../lib/queue/layout.js'
import { FULL_BATCH } from '../../lib/writer/batch.js'
import { Incidents } from '../../lib/writer/incidents.js'
import { Lanes } from '../../lib/writer/lanes.js'
import { OwnState } from '../../lib/writer/own-state.js'
import { Session } from '../../lib/writer/session.js'
import { Shelved } from '../../lib/writer/shelving.js'
import { StallWatch } from '../../lib/writer/stall-watch.js'
import { BOOT, recordingThread, writerTask } from '../support/writer-scene.js'

/** Calls of one trace in a row. */
const CALLS_PER_TRACE = 5

export const ORDER = { quantity: 5, limit: 101.25, side: 'buy', venue: 'XETR' }
export const CONTENTS = {
  scalars: { args: ['EURUSD', 5], result: 11 },
  object: { args: ['EURUSD', ORDER], result: { symbol: 'EURUSD', cost: 506.25 } },
} as const
export type Content = keyof typeof CONTENTS

export interface PipelineLane {
  /** Records until the ring is full, or `most`; returns how many. */
  fill(content: Content, most?: number): number
  /** Stores all of them. */
  drain(): void
  readonly session: Session
  readonly memory: SharedArrayBuffer
  /** Of records: how many are stored. */
  readonly stored: number
  end(): void
}

/** Time between two records, for the writer as well: what expires depends on their number, not on this machine. */
const RECORD_US = 10

export function openPipelineLane(folder: string, settings: { retentionMs?: number } = {}): PipelineLane {
  let made = 0
  const storePath = join(folder, 'calls.db')
  const { ringBytes, drainIntervalMs, retentionMs } = DEFAULTS
  const control = new Control()
  const anchor = takeAnchor()
  const clock = { nowUs: () => anchor.unixUs + made * RECORD_US }
  const { handle, f64, producer, site } = recordingThread({
    storePath,
    control,
    ringBytes,
    functionName: 'Orders.place',
    originUnixUs: anchor.unixUs,
  })
  const lanes = new Lanes(BOOT, control)
  lanes.adopt(handle)
  const { port1, port2 } = new MessageChannel()
  const task = writerTask(
    {
      storePath,
      control,
      anchor,
      settings: {
        retentionMs: settings.retentionMs ?? retentionMs,
        maxBytes: Number.MAX_SAFE_INTEGER,
        drainIntervalMs,
        stallThresholdMs: Number.POSITIVE_INFINITY,
      },
    },
    port2 as unknown as MessagePort,
  )
  const session = new Session(task, control, lanes, clock, {
    incidents: new Incidents(),
    stalls: new StallWatch({
      control,
      clock,
      thresholdMs: Number.POSITIVE_INFINITY,
      pid: process.pid,
      lane: () => null,
    }),
    shelved: new Shelved(control),
    state: new OwnState(control, task.settings),
    thorough: false,
    onSetAside: path => {
      throw new Error(`the store was set aside as ${path}`)
    },
  })
  return {
    session,
    memory: handle.memory,
    fill(content, most = Number.POSITIVE_INFINITY) {
      const { args, result } = CONTENTS[content]
      const before = f64[LaneF64.CALLS_PUBLISHED] as number
      for (let records = 0; records < most; records++) {
        const published = f64[LaneF64.CALLS_PUBLISHED]
        made++
        const child = made % CALLS_PER_TRACE
        const facts = {
          startMs: (made * RECORD_US) / 1_000,
          durationMs: 0.001,
          call: made,
          trace: made - child,
          parent: child === 0 ? 0 : made - 1,
          flags: 0,
        }
        producer.recordCall(site, facts, 1, -1, null, args, result)
        if (f64[LaneF64.CALLS_PUBLISHED] === published) break
      }
      return (f64[LaneF64.CALLS_PUBLISHED] as number) - before
    },
    drain() {
      for (let withTotals = true; session.write(FULL_BATCH, withTotals); withTotals = false);
    },
    get stored() {
      return f64[LaneF64.CALLS_STORED] as number
    },
    end() {
      session.end()
      port1.close()
    },
  }
}
