import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { Frame, FrameKind, LaneI32, laneMemoryBytes, RING_OFFSET } from '../../lib/queue/layout.js'
import { BROKEN_RING, NO_FRAME, RingConsumer, RingProducer } from '../../lib/queue/ring.js'
import fc from '../support/fast-check.js'
import { injected } from '../support/figures.js'
import { givenSeed } from '../support/seed.js'

const SMALLEST = Frame.HEADER_BYTES + 8

function newMemory(ringBytes: number, position = 0): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(laneMemoryBytes(ringBytes))
  const words = new Int32Array(memory)
  words[LaneI32.TAIL] = position
  words[LaneI32.HEAD] = position
  return memory
}

function writeFrame(memory: SharedArrayBuffer, offset: number, size: number, seq: number): void {
  const view = new DataView(memory)
  view.setUint32(offset, size, true)
  view.setUint32(offset + 4, FrameKind.record, true)
  view.setFloat64(offset + Frame.SEQ, seq, true)
  new Uint8Array(memory).fill(seq & 0xff, offset + Frame.HEADER_BYTES, offset + size)
}

describe('row 22: the ring against a simple queue', () => {
  it('behaves like a bounded queue under any order of writes, reads, releases and rewinds', () => {
    const size = fc.integer({ min: SMALLEST / 8, max: 32 }).map(words => words * 8)
    const step = fc.oneof(
      { weight: 4, arbitrary: size.map(bytes => ({ kind: 'write' as const, bytes })) },
      { weight: 4, arbitrary: fc.constant({ kind: 'read' as const }) },
      { weight: 2, arbitrary: fc.constant({ kind: 'release' as const }) },
      { weight: 1, arbitrary: fc.constant({ kind: 'rewind' as const }) },
    )
    const start = fc.constantFrom(0, 8, 2 ** 31 - 8, -8, -1024, -4096)
    fc.assert(
      fc.property(start, fc.array(step, { maxLength: 400 }), (position, steps) => {
        const largest = 256
        const ringBytes = 4096
        const memory = newMemory(ringBytes, position)
        const producer = new RingProducer(memory, ringBytes, largest)
        const consumer = new RingConsumer(memory, ringBytes)
        const view = new DataView(memory)
        const bytes = new Uint8Array(memory)
        // The twin: a list of sequence numbers, what is read of it, what is released.
        const twin: { seq: number; size: number }[] = []
        let read = 0
        let released = 0
        let seq = 0
        for (const action of steps) {
          switch (action.kind) {
            case 'write': {
              const offset = producer.reserve()
              const inUse = twin.slice(released).reduce((sum, frame) => sum + frame.size, 0)
              // Refused only when the twin agrees that a largest frame might not fit with padding.
              if (offset === -1) {
                expect(inUse + 2 * largest).toBeGreaterThan(ringBytes - largest)
                break
              }
              expect(offset + largest).toBeLessThanOrEqual(RING_OFFSET + ringBytes)
              writeFrame(memory, offset, action.bytes, ++seq)
              producer.publish(action.bytes)
              twin.push({ seq, size: action.bytes })
              break
            }
            case 'read': {
              const offset = consumer.next()
              const expected = twin[read]
              if (expected === undefined) {
                expect(offset).toBe(NO_FRAME)
                break
              }
              expect(view.getFloat64(offset + Frame.SEQ, true)).toBe(expected.seq)
              expect(view.getUint32(offset, true)).toBe(expected.size)
              expect(bytes[offset + expected.size - 1]).toBe(expected.seq & 0xff)
              read++
              break
            }
            case 'release':
              consumer.release()
              released = read
              break
            case 'rewind':
              consumer.rewind()
              read = released
              break
          }
        }
      }),
      { numRuns: 500, ...givenSeed },
    )
  })

  it('is full, never overwritten, while nothing is released', () => {
    const memory = newMemory(65_536)
    const producer = new RingProducer(memory, 65_536, 1024)
    let written = 0
    for (let offset = producer.reserve(); offset !== -1; offset = producer.reserve()) {
      writeFrame(memory, offset, 1024, ++written)
      producer.publish(1024)
    }
    expect(written).toBe(64)
    const consumer = new RingConsumer(memory, 65_536)
    for (let seq = 1; seq <= written; seq++) {
      expect(new DataView(memory).getFloat64(consumer.next() + Frame.SEQ, true)).toBe(seq)
    }
    expect(producer.reserve()).toBe(-1)
    consumer.release()
    expect(producer.reserve()).not.toBe(-1)
  })

  it('says that overwritten memory is no frame, and goes on behind it', () => {
    const memory = newMemory(65_536)
    const producer = new RingProducer(memory, 65_536, 1024)
    const consumer = new RingConsumer(memory, 65_536)
    const offset = producer.reserve()
    writeFrame(memory, offset, 128, 1)
    producer.publish(128)
    for (const size of [0, 7, 12, 70_000, 136, 2 ** 32 - 8]) {
      new DataView(memory).setUint32(offset, size, true)
      consumer.rewind()
      expect(consumer.next()).toBe(BROKEN_RING)
    }
    expect(consumer.skipAll()).toBe(128)
    consumer.release()
    writeFrame(memory, producer.reserve(), 128, 2)
    producer.publish(128)
    expect(new DataView(memory).getFloat64(consumer.next() + Frame.SEQ, true)).toBe(2)
  })

  it('keeps order and content between two threads, with sizes to the maximum and positions that wrap', async () => {
    const records = Number(process.env['CALLSIGHT_RING_RECORDS'] ?? 3_000_000)
    injected(records)
    const ringBytes = 64 * 1024
    const largest = 8 * 1024
    // So close to 2^32 that the position wraps early on.
    const memory = newMemory(ringBytes, -(64 * 1024))
    const producer = new RingProducer(memory, ringBytes, largest)
    const reader = new Worker(new URL('../.build/standard/ring-reader.js', import.meta.url), {
      workerData: { memory, ringBytes, records },
    })
    const answer = once(reader, 'message')
    let full = 0
    const view = new DataView(memory)
    const bytes = new Uint8Array(memory)
    for (let seq = 1; seq <= records; ) {
      const offset = producer.reserve()
      if (offset === -1) {
        full++
        continue
      }
      // Mostly small frames, every 997th of the largest size.
      const size = seq % 997 === 0 ? largest : SMALLEST + (seq % 16) * 8
      view.setUint32(offset, size, true)
      view.setUint32(offset + 4, FrameKind.record, true)
      view.setFloat64(offset + Frame.SEQ, seq, true)
      bytes[offset + Frame.HEADER_BYTES] = seq & 0xff
      bytes[offset + size - 1] = seq & 0xff
      producer.publish(size)
      seq++
    }
    const [result] = (await answer) as [{ read: number; wrong: number }]
    await reader.terminate()
    expect(result).toEqual({ read: records, wrong: 0 })
    expect(full).toBeGreaterThan(0)
  })
})
