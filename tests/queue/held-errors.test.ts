import { describe, expect, it } from 'vitest'
import { DEFAULTS } from '../../lib/config/defaults.js'
import { imbalance, readLane } from '../../lib/queue/account.js'
import { Control } from '../../lib/queue/control.js'
import { Journal } from '../../lib/queue/journal.js'
import { journalBufferBytes } from '../../lib/queue/journal-lane.js'
import { Drop, Frame, Lane } from '../../lib/queue/layout.js'
import type { ProducedSite } from '../../lib/queue/produced-site.js'
import { newLaneMemory, Producer } from '../../lib/queue/producer.js'
import { RingConsumer } from '../../lib/queue/ring.js'
import { Capture } from '../../lib/serialize/capture.js'
import { Redaction } from '../../lib/serialize/redaction.js'
import { Block, HEADER_BYTES } from '../../lib/totals/layout.js'
import { Totals } from '../../lib/totals/totals.js'

const RING_BYTES = 64 * 1024
const { limits } = DEFAULTS

function scene() {
  const memory = newLaneMemory(RING_BYTES, 0)
  const totals = new Totals(2)
  let asked = 0
  const refuse = (): never => {
    asked++
    throw Object.assign(new Error('too many open files'), { code: 'EMFILE' })
  }
  const journal = new Journal(
    '/nowhere/calls.db',
    { boot: '0123456789abcdef', ring: 0, pid: 1, startTicks: 0, originUnixUs: 0 },
    site => totals.name(site),
    journalBufferBytes(limits.bytes, limits.stackLength),
    { open: refuse, write: refuse, close: refuse, remove: refuse, exists: () => false },
  )
  const producer = new Producer({
    memory,
    ringBytes: RING_BYTES,
    control: new Control().memory,
    journal,
    totals,
    capture: new Capture(limits),
    groupBytes: limits.bytes,
    fullErrorsPerSecond: 1e9,
    remoteIds: () => null,
  })
  const site: ProducedSite = {
    id: totals.register('f'),
    captureArgs: true,
    captureResult: true,
    redaction: Redaction.compile({}),
    costly: new Set(),
  }
  const fail = (): void => {
    const facts = { startMs: 1, durationMs: 1, call: 1, trace: 1, parent: 0, flags: 0 }
    producer.recordError(site, facts, -1, null, [1], new Error('refused'), 1)
  }
  return {
    producer,
    totals,
    site,
    fail,
    asked: () => asked,
    consumer: new RingConsumer(memory, RING_BYTES),
    f64: new Float64Array(memory),
    memory,
  }
}

describe('errors while the disk refuses the journal', () => {
  it('reach the writer through the ring, those that had to wait in memory too, each once and none dropped', () => {
    const { producer, fail, consumer, f64, memory } = scene()
    const view = new DataView(memory)
    const total = 500
    for (let n = 0; n < total; n++) fail()
    const lane = () => readLane(f64, Lane.errors)
    expect(lane()).toMatchObject({ produced: total, dropped: {}, inJournal: 0 })
    expect(lane().inMemory).toBeGreaterThan(0)
    const seqs: number[] = []
    for (let round = 0; round < 100 && seqs.length < total; round++) {
      for (let offset = consumer.next(); offset >= 0; offset = consumer.next()) {
        seqs.push(view.getFloat64(offset + Frame.SEQ, true))
      }
      consumer.release()
      producer.tend()
      expect(imbalance(lane())).toBe(0)
    }
    expect(seqs.sort((a, b) => a - b)).toEqual(Array.from({ length: total }, (_, index) => index + 1))
    expect(lane().inMemory).toBe(0)
  })

  it('do not ask it every time', () => {
    const { fail, asked } = scene()
    const startedMs = performance.now()
    for (let n = 0; n < 3_000; n++) fail()
    // Three times in a row, then once in 10 ms.
    expect(asked()).toBeLessThanOrEqual(3 + (performance.now() - startedMs) / 10 + 1)
  })
})

describe('a record that the end of the stack broke off', () => {
  it('is counted with its call site, so that the losses show it', () => {
    const { producer, totals, site, f64 } = scene()
    const facts = { startMs: 1, durationMs: 1, call: 1, trace: 1, parent: 0, flags: 0 }
    const record = (): void => producer.recordCall(site, facts, 1, -1, null, [1], 2)
    const keep = totals.keep.bind(totals)
    totals.keep = () => {
      throw new RangeError('Maximum call stack size exceeded')
    }
    expect(record).toThrow(RangeError)
    totals.keep = keep
    record()
    expect(readLane(f64, Lane.calls)).toMatchObject({
      produced: 2,
      dropped: { serialize_failed: 1 },
      inRing: 1,
    })
    const drops = new DataView(totals.memory).getUint32(
      HEADER_BYTES + Block.DROPS + 4 * Drop.serializeFailed,
      true,
    )
    expect(drops).toBe(1)
  })
})
