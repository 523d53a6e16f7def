import { go, linkHere } from './place.js'
import { spanParameters } from './range.js'

/** What dragging over a chart does: its span becomes that of the page. */
export function zoom(sinceMs: number, untilMs: number): void {
  // A second at least: nothing is counted in finer steps.
  const middle = (sinceMs + untilMs) / 2
  const half = Math.max(500, (untilMs - sinceMs) / 2)
  go(linkHere(spanParameters(middle - half, middle + half)))
}
