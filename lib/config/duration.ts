import { ConfigError } from './errors.js'
import { renderValue } from './render.js'

export const DURATION_ALLOWED =
  "a number of milliseconds from 0, or a number with a unit such as '250ms', '10s', '5m', '6h', '7d'"

/** Years of such a length are a mistake; it also keeps sums of times exact. */
const MAX_DURATION_MS = 36_525 * 24 * 60 * 60 * 1000
/** A unit is required, and it is one of five, so that a typing error never means minutes. */
const DURATION_TEXT = /^(\d{1,15}|\d{0,15}\.\d{1,15}) ?(ms|s|m|h|d)$/
const UNIT_MS = new Map([
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
])

/**
 * A {@link Duration} in milliseconds.
 *
 * @throws {@link ConfigError} for anything but a number from 0 or a number with a unit, and above 100 years.
 */
export function durationMs(value: unknown, option = 'duration'): number {
  const result = parseDurationMs(value)
  if (result !== null) return result
  throw new ConfigError(`Callsight: ${option} must be ${DURATION_ALLOWED}, but is ${renderValue(value)}`)
}

/** As {@link durationMs}, with null for what is not a duration. */
export function parseDurationMs(value: unknown): number | null {
  const milliseconds = typeof value === 'string' ? parseText(value) : value
  if (typeof milliseconds !== 'number') return null
  return milliseconds >= 0 && milliseconds <= MAX_DURATION_MS ? milliseconds : null
}

function parseText(text: string): number | null {
  const [, amount, unit] = DURATION_TEXT.exec(text) ?? []
  return amount === undefined || unit === undefined
    ? null
    : Number(amount) * (UNIT_MS.get(unit) ?? Number.NaN)
}
