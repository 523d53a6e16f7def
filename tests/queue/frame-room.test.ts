import { decode, ExtData } from '@msgpack/msgpack'
import { describe, expect, it } from 'vitest'
import { DEFAULTS } from '../../lib/config/defaults.js'
import type { Limits } from '../../lib/config/options.js'
import { Control } from '../../lib/queue/control.js'
import { largestFrame } from '../../lib/queue/frame.js'
import { Journal } from '../../lib/queue/journal.js'
import { journalBufferBytes } from '../../lib/queue/journal-lane.js'
import { Frame } from '../../lib/queue/layout.js'
import type { ProducedSite } from '../../lib/queue/produced-site.js'
import { newLaneMemory, Producer } from '../../lib/queue/producer.js'
import { RingConsumer } from '../../lib/queue/ring.js'
import { Capture } from '../../lib/serialize/capture.js'
import { SHAPE_BYTES } from '../../lib/serialize/markers.js'
import { Redaction } from '../../lib/serialize/redaction.js'
import { Totals } from '../../lib/totals/totals.js'

const RING_BYTES = 64 * 1024
const facts = { startMs: 1, durationMs: 1, call: 1, trace: 1, parent: 0, flags: 0 }
const named = Object.defineProperty(class {}, 'name', { value: 'N'.repeat(64) }) as new () => object

function scene(changed: Partial<Limits>) {
  const limits = { ...DEFAULTS.limits, ...changed }
  const memory = newLaneMemory(RING_BYTES, 0)
  const totals = new Totals(2)
  const written: Buffer[] = []
  const journal = new Journal(
    '/nowhere/calls.db',
    { boot: '0123456789abcdef', ring: 0, pid: 1, startTicks: 0, originUnixUs: 0 },
    site => totals.name(site),
    journalBufferBytes(limits.bytes, limits.stackLength),
    {
      open: () => 1,
      write: (_file, buffer, offset, length) => {
        written.push(Buffer.from(buffer.subarray(offset, offset + length)))
        return length
      },
      close: () => {},
      remove: () => {},
      exists: () => true,
    },
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
  const consumer = new RingConsumer(memory, RING_BYTES)
  /** The next frame in the ring: its bytes, and its payload as any reader of msgpack sees it. */
  const next = () => {
    const offset = consumer.next()
    const view = new DataView(memory)
    const size = view.getUint32(offset + Frame.SIZE, true)
    const at = offset + Frame.HEADER_BYTES
    const payload = new Uint8Array(memory).slice(at, at + view.getUint32(offset + Frame.PAYLOAD_BYTES, true))
    return { size, payload: decode(payload) as unknown[] }
  }
  return { producer, site, limits, next, written }
}

/** Arguments that use up all room for values, and for their shape as well. */
const full = [
  ...Array.from({ length: 16 }, () => new named()),
  ...Array.from({ length: 84 }, () => 'x'.repeat(250)),
]
const longResult = Array.from({ length: 90 }, () => 'y'.repeat(250))

const shapeIsWhole = (shape: unknown): void => {
  expect(shape).toBeInstanceOf(ExtData)
  expect((shape as ExtData).type).toBe(4)
  expect((shape as ExtData).data.length).toBe(SHAPE_BYTES - 4 - 16 * 7)
}

describe('a frame has room for arguments, shape and result at their limits', () => {
  it.each([
    ['captured before the call', true],
    ['read after it', false],
  ])('%s', (_, before) => {
    const { producer, site, limits, next } = scene({})
    const mark = before ? producer.captureArguments(site, full) : -1
    producer.recordCall(site, facts, 1, mark, null, before ? null : full, longResult)
    const { size, payload } = next()
    expect(payload).toHaveLength(3)
    shapeIsWhole(payload[1])
    expect((payload[0] as unknown[]).length).toBeGreaterThan(16)
    expect(payload[2]).toContain('y'.repeat(250))
    expect(size).toBeGreaterThan(2 * limits.bytes + 1_000)
    expect(size).toBeLessThanOrEqual(largestFrame(limits.bytes))
  })

  it('held over an await', () => {
    const { producer, site, next } = scene({})
    const mark = producer.captureArguments(site, full)
    const held = producer.scratch.hold(mark)
    producer.scratch.release(mark)
    producer.recordCall(site, facts, 1, -1, held, null, 1)
    const { payload } = next()
    shapeIsWhole(payload[1])
    expect(payload[2]).toBe(1)
  })

  it('without arguments: two nothings and the result', () => {
    const { producer, site, next } = scene({})
    producer.recordCall(site, facts, 1, -1, null, null, 1)
    expect(next().payload).toEqual([null, null, 1])
  })

  it('in the journal, with the smallest limits there are', () => {
    const { producer, site, written } = scene({ bytes: 64, stackLength: 0 })
    producer.recordError(site, facts, -1, null, full, new RangeError('first'), 1)
    producer.recordError(site, facts, -1, null, null, new TypeError('second'), 1)
    const text = Buffer.concat(written).toString('latin1')
    expect(text.split('N'.repeat(64))).toHaveLength(17)
    expect(text).toContain('RangeError')
    expect(text).toContain('TypeError')
  })
})
