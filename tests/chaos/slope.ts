/** A straight line through points by least squares. */
export interface Slope {
  readonly perX: number
  readonly standardError: number
  readonly points: number
}

export type Point = readonly [x: number, y: number]

/**
 * The slope that several groups of points have in common, each with a level of its own; the standard error is that of
 * independent points, so it is too small for points that follow each other closely.
 */
export function commonSlope(groups: readonly (readonly Point[])[]): Slope {
  let sxx = 0
  let sxy = 0
  let syy = 0
  let points = 0
  let levels = 0
  for (const group of groups) {
    if (group.length < 2) continue
    const meanX = group.reduce((sum, [x]) => sum + x, 0) / group.length
    const meanY = group.reduce((sum, [, y]) => sum + y, 0) / group.length
    for (const [x, y] of group) {
      sxx += (x - meanX) ** 2
      sxy += (x - meanX) * (y - meanY)
      syy += (y - meanY) ** 2
    }
    points += group.length
    levels++
  }
  const perX = sxy / sxx
  const residuals = Math.max(0, syy - perX * sxy)
  return { perX, standardError: Math.sqrt(residuals / (points - levels - 1) / sxx), points }
}
