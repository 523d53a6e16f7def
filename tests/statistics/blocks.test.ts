import { describe, expect, it } from 'vitest'
import { assignBlocks, BLOCKS, type Block, blockTest } from '../../lib/statistics/blocks.js'
import { studentTails } from '../../lib/statistics/tails.js'
import { mostAlarms, Random } from './random.js'

const LEVEL = 0.01
const RUNS = 2_000

describe('the test of blocks', () => {
  it("is Student's test of the means where all blocks have as many calls", () => {
    const blocks = (sums: readonly number[]): Block[] => sums.map(sum => ({ calls: 10, sum }))
    // Means .2 and .5 per call; squares of the deviations 10·(4·.01) and 10·(4·.04); 8 degrees of freedom.
    const a = blocks([1, 2, 3, 1, 3])
    const b = blocks([3, 5, 7, 3, 7])
    const variance = (10 * 0.04 + 10 * 0.16) / 8
    expect(blockTest(a, b)).toBeCloseTo(studentTails(0.3 / Math.sqrt((variance * 2) / 50), 8), 12)
  })

  it('says nothing of too few blocks, and takes one block on a side if the other has many', () => {
    const of = (count: number): Block[] =>
      Array.from({ length: count }, (_, i) => ({ calls: 10, sum: i % 2 }))
    expect(blockTest(of(4), of(5))).toBeNull()
    expect(blockTest(of(10), [])).toBeNull()
    expect(blockTest(of(5), of(5))).not.toBeNull()
    expect(blockTest(of(9), [{ calls: 10, sum: 9 }])).toBeLessThan(0.001)
  })

  it('finds no difference in equal blocks, and every one where blocks do not differ otherwise', () => {
    const of = (sum: number): Block[] => Array.from({ length: 6 }, () => ({ calls: 10, sum }))
    expect(blockTest(of(3), of(3))).toBe(1)
    expect(blockTest(of(3), of(4))).toBe(0)
  })

  it('keeps its level when whole blocks go up and down, which no test of calls does', () => {
    const random = new Random(1)
    const side = (): Block[] => {
      return Array.from({ length: BLOCKS }, () => ({
        calls: 1_000,
        sum: 1_000 * (0.1 + 0.02 * random.normal()),
      }))
    }
    let alarms = 0
    for (let run = 0; run < RUNS; run++) if ((blockTest(side(), side()) ?? 1) <= LEVEL) alarms++
    expect(alarms).toBeLessThanOrEqual(mostAlarms(RUNS, LEVEL))
    expect(alarms).toBeGreaterThan(0)
  })
})

describe('blocks', () => {
  it('take about equal numbers of calls, in order and without gaps', () => {
    expect(assignBlocks([])).toEqual([])
    expect(assignBlocks([5])).toEqual([0])
    expect(assignBlocks(Array.from({ length: 30 }, () => 7))).toEqual(
      Array.from({ length: 30 }, (_, i) => Math.floor(i / 3)),
    )
    const uneven = assignBlocks([1, 1, 1000, 1, 1, 1000, 1])
    expect(uneven).toEqual([...uneven].sort((a, b) => a - b))
    expect(new Set(uneven).size).toBe(Math.max(...uneven) + 1)
    expect(uneven[2]).not.toBe(uneven[5])
  })
})
