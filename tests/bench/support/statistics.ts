/** The smallest value that at least `share` of all values do not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const index = Math.max(0, Math.ceil(sorted.length * share) - 1)
  return sorted[index] ?? Number.NaN
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >>> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2
}

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

/** The middle half of the values is this wide. */
export const quartileSpread = (values: readonly number[]): number =>
  quantile(values, 0.75) - quantile(values, 0.25)

export interface Line {
  /** Change of y for each unit of x, by least squares. */
  readonly slope: number
  /** Of the slope, supposing that the distances from the line are independent of each other. */
  readonly standardError: number
}

export function line(points: readonly { readonly x: number; readonly y: number }[]): Line {
  const xMean = mean(points.map(({ x }) => x))
  const yMean = mean(points.map(({ y }) => y))
  let xx = 0
  let xy = 0
  for (const { x, y } of points) {
    xx += (x - xMean) ** 2
    xy += (x - xMean) * (y - yMean)
  }
  const slope = xy / xx
  const residuals = points.reduce((sum, { x, y }) => sum + (y - yMean - slope * (x - xMean)) ** 2, 0)
  return { slope, standardError: Math.sqrt(residuals / (points.length - 2) / xx) }
}
