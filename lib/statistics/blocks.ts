import { studentTails } from './tails.js'

/** Calls of a piece of time, and the sum of what is measured of each of them. */
export interface Block {
  readonly calls: number
  readonly sum: number
}

/**
 * Pieces a span of time is cut into. Simulation knows the method as batch means and takes 10 to 30 of them (Schmeiser,
 * Operations Research 30, 1982): fewer and longer ones hold more of what lasts within one piece.
 */
export const BLOCKS = 10
/** With less to estimate a variance from, differences between blocks are noise themselves. */
export const LEAST_DEGREES = 8

/**
 * Whether two sides differ by more than pieces of time of one side differ among themselves; `null` where there are too
 * few pieces to tell.
 *
 * Calls are not independent of one another: what is slow or broken is so for a while. A test that takes them for
 * independent finds a difference in nearly every pair of hours. Blocks that are longer than such a while are nearly
 * independent, and their means nearly normal: Student's test of weighted means, with one variance for both sides, which
 * is what "no difference" says of them.
 */
export function blockTest(a: readonly Block[], b: readonly Block[]): number | null {
  const degrees = a.length + b.length - 2
  if (degrees < LEAST_DEGREES || a.length === 0 || b.length === 0) return null
  const left = summary(a)
  const right = summary(b)
  const variance = (left.squares + right.squares) / degrees
  const shift = right.mean - left.mean
  if (shift === 0) return 1
  return studentTails(shift / Math.sqrt(variance * (1 / left.calls + 1 / right.calls)), degrees)
}

function summary(blocks: readonly Block[]) {
  const calls = blocks.reduce((sum, block) => sum + block.calls, 0)
  const mean = blocks.reduce((sum, block) => sum + block.sum, 0) / calls
  const squares = blocks.reduce((sum, block) => sum + block.calls * (block.sum / block.calls - mean) ** 2, 0)
  return { calls, mean, squares }
}

/**
 * The block each of these pieces of time belongs to, in their order: about equal numbers of calls each, because a mean
 * of few calls says little, and never half a piece.
 */
export function assignBlocks(calls: readonly number[]): number[] {
  const total = calls.reduce((sum, count) => sum + count, 0)
  let before = 0
  let last = -1
  let block = -1
  return calls.map(count => {
    // By where its middle call stands; numbered without gaps.
    const wanted = Math.min(BLOCKS - 1, Math.floor((BLOCKS * (before + count / 2)) / Math.max(1, total)))
    before += count
    if (wanted !== last) block++
    last = wanted
    return block
  })
}
