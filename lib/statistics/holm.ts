/**
 * Holm's correction: each p-value as it has to be read because so many were computed. Calling everything below a level
 * significant then is wrong, in any of them, with at most the probability of that level, however the tests depend on
 * one another. In the order given.
 */
export function holm(pValues: readonly number[]): number[] {
  const corrected = new Array<number>(pValues.length).fill(1)
  const order = pValues.map((_, i) => i).sort((i, j) => pValues[i]! - pValues[j]!)
  let least = 0
  order.forEach((index, rank) => {
    least = Math.max(least, Math.min(1, pValues[index]! * (pValues.length - rank)))
    corrected[index] = least
  })
  return corrected
}
