import { normalTails } from './tails.js'

/** Calls of two groups, and how many of each have some mark. */
export interface TwoByTwo {
  readonly a: { readonly calls: number; readonly hits: number }
  readonly b: { readonly calls: number; readonly hits: number }
}

/** What R allows for rounding when it asks which tables are no more probable than this one. */
const SAME = 1 + 1e-7
/** Tables this much less probable than the most probable one are left out. */
const NEGLIGIBLE = 1e-300
/** Beyond some ten billion calls the normal distribution is as good, and the walk would be long. */
const MOST_VARIANCE = 1e9
/** Counts that no recorder makes: a walk from one whole number to the next would never leave the first. */
const MOST_CALLS = Number.MAX_SAFE_INTEGER

/**
 * Fisher's exact test, both sides: the probability, when the marks are dealt out among all calls by chance, of a table
 * no more probable than this one. Never given smaller than 1e-300.
 *
 * Probabilities of neighbouring tables stand in a simple ratio (the hypergeometric distribution), so the sum goes
 * outwards from the most probable one and needs no factorials. It ends where nothing is left to add, after a number of
 * steps that grows with the square root of the hits: exact also where a chi-square test would do.
 */
export function fisherExact({ a, b }: TwoByTwo): number {
  const hits = a.hits + b.hits
  const calls = a.calls + b.calls
  const variance = ((a.calls / calls) * (b.calls / calls) * hits * (calls - hits)) / (calls - 1)
  if (variance > MOST_VARIANCE || calls > MOST_CALLS) {
    if (!(variance > 0)) return 1
    return Math.max(NEGLIGIBLE, normalTails((a.hits - hits * (a.calls / calls)) / Math.sqrt(variance)))
  }
  const least = Math.max(0, hits - b.calls)
  const most = Math.min(hits, a.calls)
  const mode = Math.floor(((hits + 1) * (a.calls + 1)) / (calls + 2))
  const above = (k: number) => ((hits - k) / (k + 1)) * ((a.calls - k) / (b.calls - hits + k + 1))
  const walk = (visit: (k: number, weight: number) => void): void => {
    let weight = 1
    for (let k = mode; k <= most && weight > NEGLIGIBLE; weight *= above(k++)) visit(k, weight)
    weight = 1
    for (let k = mode - 1; k >= least && (weight /= above(k)) > NEGLIGIBLE; k--) visit(k, weight)
  }
  let observed = 0
  walk((k, weight) => {
    if (k === a.hits) observed = weight
  })
  let all = 0
  let extreme = 0
  walk((_, weight) => {
    all += weight
    if (weight <= observed * SAME) extreme += weight
  })
  return Math.max(NEGLIGIBLE, Math.min(1, extreme / all))
}
