import { describe, expect, it } from 'vitest'
import {
  BLOCK_BYTES,
  Block,
  BUCKET_COUNT,
  bucketUpperNs,
  HEADER_BYTES,
  NAME_MAX_BYTES,
} from '../../lib/totals/layout.js'
import { bucketOf, Totals } from '../../lib/totals/totals.js'
import fc from '../support/fast-check.js'

describe('latency buckets', () => {
  it('hold every duration between their bounds, at most 12.5 % wide', () => {
    const duration = fc.double({ min: 64, max: 2 ** 42 - 1, noNaN: true })
    fc.assert(
      fc.property(duration, durationNs => {
        const bucket = bucketOf(durationNs)
        const lower = bucket === 0 ? 64 : bucketUpperNs(bucket - 1)
        expect(durationNs).toBeGreaterThanOrEqual(lower)
        expect(durationNs).toBeLessThan(bucketUpperNs(bucket))
        expect(bucketUpperNs(bucket) / lower).toBeLessThanOrEqual(1.125)
      }),
      { numRuns: 5_000 },
    )
  })

  it('take what is shorter into the first and what is longer into the last', () => {
    expect([0, 1, 63.9].map(bucketOf)).toEqual([0, 0, 0])
    expect([2 ** 42, 1e300, Number.POSITIVE_INFINITY].map(bucketOf)).toEqual(Array(3).fill(BUCKET_COUNT - 1))
  })
})

describe('totals', () => {
  it('count every call, error and duration of each site', () => {
    const call = fc.record({
      site: fc.nat(3),
      ms: fc.double({ min: 0, max: 1e6, noNaN: true }),
      failed: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(call, { maxLength: 200 }), calls => {
        const totals = new Totals(8)
        for (const name of ['a', 'b', 'c', 'd']) totals.register(name)
        for (const { site, ms, failed } of calls) {
          totals.begin(site)
          totals.end(site, ms, failed)
        }
        const view = new DataView(totals.memory)
        for (const site of [0, 1, 2, 3]) {
          const mine = calls.filter(entry => entry.site === site)
          const base = HEADER_BYTES + site * BLOCK_BYTES
          expect(totals.counts(site)).toEqual({
            calls: mine.length,
            errors: mine.filter(entry => entry.failed).length,
            begun: mine.length,
          })
          const sum = mine.reduce((total, entry) => total + entry.ms, 0)
          expect(view.getFloat64(base + Block.DURATION_SUM, true)).toBe(sum)
          expect(view.getFloat64(base + Block.DURATION_MAX, true)).toBe(
            Math.max(0, ...mine.map(entry => entry.ms)),
          )
          let bucketed = 0
          for (let bucket = 0; bucket < BUCKET_COUNT; bucket++) {
            bucketed += view.getUint32(base + Block.BUCKETS + bucket * 4, true)
          }
          expect(bucketed).toBe(mine.length)
        }
      }),
    )
  })

  it('counts calls that were not timed without a duration', () => {
    const totals = new Totals(2)
    const site = totals.register('untimed')
    totals.end(site, -1, false)
    const view = new DataView(totals.memory)
    expect(totals.counts(site).calls).toBe(1)
    expect(view.getUint32(HEADER_BYTES + Block.TIMED, true)).toBe(0)
  })

  it('gives functions of one name one site, and the last site to all that do not fit', () => {
    const totals = new Totals(3)
    expect(['a', 'b', 'a', 'c', 'd', 'b'].map(name => totals.register(name))).toEqual([0, 1, 0, 2, 2, 1])
    expect(totals.name(2)).toBe('(other call sites)')
  })

  it('cuts a long name between characters', () => {
    const totals = new Totals(2)
    totals.register('ä€😀'.repeat(100))
    const bytes = Buffer.from(totals.memory)
    const length = bytes.readUInt16LE(HEADER_BYTES + Block.NAME_BYTES)
    expect(length).toBeLessThanOrEqual(NAME_MAX_BYTES)
    const stored = bytes.toString('utf8', HEADER_BYTES + Block.NAME, HEADER_BYTES + Block.NAME + length)
    expect(stored).not.toContain('�')
    expect(stored.endsWith('…')).toBe(true)
  })
})
