import type { Duration } from '../../config/options.js'

/**
 * A moment: a length of time before now (`'10m'`, or milliseconds), a `Date`, a time of day (`'02:50'`: the last time it
 * was that), `'now'`, or ISO-8601 text. What names no zone is UTC.
 */
export type Moment = Duration | Date | string

/** The forms of a {@link Moment} for people, as messages and help tell them. */
export const MOMENT_FORMS =
  '10m or 6h ago, a time of day such as 02:50, or a date such as 2026-11-20T10:00Z; UTC, unless it names a zone'

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const MS_PER_DAY = UNIT_MS.d
const DURATION = /^(\d{1,15}(?:\.\d{1,9})?)(ms|s|m|h|d)$/
const TIME_OF_DAY = /^(\d{1,2}):(\d{2})(?::(\d{2}))?(?:Z|([+-])(\d{2}):(\d{2}))?$/
const ISO_TIME = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})?)?$/

/** Unix milliseconds of a {@link Moment}; `NaN` when it is none. */
export function parseMoment(value: unknown, nowMs: number): number {
  if (value instanceof Date) return value.getTime()
  // -2h, as a span may be written.
  const duration = parseDurationMs(typeof value === 'string' ? value.replace(/^-(?=\d)/, '') : value)
  if (duration !== null) return nowMs - duration
  if (typeof value !== 'string') return Number.NaN
  if (value === 'now') return nowMs
  return parseTimeOfDay(value, nowMs) ?? parseIso(value)
}

/** The last time it was that; `null` when the text is no time of day. */
function parseTimeOfDay(value: string, nowMs: number): number | null {
  const found = TIME_OF_DAY.exec(value)
  if (found === null) return null
  const [hours = 0, minutes = 0, seconds = 0] = found.slice(1, 4).map(part => Number(part ?? 0))
  const [zoneHours = 0, zoneMinutes = 0] = found.slice(5, 7).map(part => Number(part ?? 0))
  if (hours > 23 || minutes > 59 || seconds > 59 || zoneHours > 14 || zoneMinutes > 59) return null
  const zoneMs = (zoneHours * UNIT_MS.h + zoneMinutes * UNIT_MS.m) * (found[4] === '-' ? -1 : 1)
  const firstMs = hours * UNIT_MS.h + minutes * UNIT_MS.m + seconds * UNIT_MS.s - zoneMs
  return firstMs + Math.floor((nowMs - firstMs) / MS_PER_DAY) * MS_PER_DAY
}

function parseIso(value: string): number {
  const iso = ISO_TIME.exec(value)
  if (iso === null) return Number.NaN
  return Date.parse(value.includes('T') && iso[1] === undefined ? `${value}Z` : value)
}

/** Milliseconds of a {@link Duration}, or `null` when it is none. */
export function parseDurationMs(value: unknown): number | null {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? value : null
  if (typeof value !== 'string') return null
  const match = DURATION.exec(value)
  return match === null ? null : Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS]
}
