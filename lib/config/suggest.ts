const MAX_KEY_LENGTH = 64

/** The candidate a mistyped key most likely meant, or null when none is close. */
export function closestKey(key: string, candidates: readonly string[]): string | null {
  if (key.length === 0 || key.length > MAX_KEY_LENGTH) return null
  const folded = fold(key)
  let best: string | null = null
  let bestDistance = Number.POSITIVE_INFINITY
  for (const candidate of candidates) {
    const target = fold(candidate.slice(candidate.lastIndexOf('.') + 1))
    const distance = startsAlike(folded, target) ? 1 : editDistance(folded, target)
    if (distance <= Math.max(1, Math.floor(target.length / 3)) && distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

function fold(key: string): string {
  return key.toLowerCase().replace(/[-_]/g, '')
}

/** `sampleRate` for `sample`, `fail` for `failureThreshold`. */
function startsAlike(key: string, target: string): boolean {
  const shorter = Math.min(key.length, target.length)
  return shorter >= 4 && key !== target && (key.startsWith(target) || target.startsWith(key))
}

/** Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment). */
function editDistance(left: string, right: string): number {
  let beforePrevious: number[] = []
  let previous = Array.from({ length: right.length + 1 }, (_, column) => column)
  for (let row = 1; row <= left.length; row++) {
    const current = [row]
    for (let column = 1; column <= right.length; column++) {
      const same = left[row - 1] === right[column - 1]
      let cost = Math.min(
        current[column - 1]! + 1,
        previous[column]! + 1,
        previous[column - 1]! + (same ? 0 : 1),
      )
      const swapped = left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1]
      if (row > 1 && column > 1 && swapped) cost = Math.min(cost, beforePrevious[column - 2]! + 1)
      current.push(cost)
    }
    beforePrevious = previous
    previous = current
  }
  return previous[right.length]!
}
