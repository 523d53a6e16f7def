import type { Screen } from './screen.js'

const BLOCKS = '▁▂▃▄▅▆▇█'
/** For terminals that cannot show the blocks. */
const PLAIN = '.:-=+*#@'

/** Steps of time a sparkline in a table shows: it takes as many columns. */
export const TREND_STEPS = 12

/** One character a value, as high as its part of the largest one; nothing at all is a blank. */
export function sparkline(values: readonly number[], { isUtf8 }: Pick<Screen, 'isUtf8'>): string {
  const levels = isUtf8 ? BLOCKS : PLAIN
  const most = values.reduce((largest, value) => (value > largest ? value : largest), 0)
  if (!Number.isFinite(most)) return ''
  return values
    .map(value => (value > 0 ? (levels[Math.ceil((value / most) * levels.length) - 1] ?? '') : ' '))
    .join('')
}
