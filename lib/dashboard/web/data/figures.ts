/** Numbers as a person reads them; durations, counts and bytes are those of the command line. */
export { counted, formatBytes, formatCount, formatDuration } from '../../../wording/format.js'

export function formatShare(share: number): string {
  if (!Number.isFinite(share)) return '-'
  if (share === 0) return '0 %'
  if (share < 0.0005) return '< 0.1 %'
  return `${(share * 100).toFixed(share < 0.0995 ? 1 : 0)} %`
}

/** Calls per second, or per minute or hour where that is a number to think in. */
export function formatRate(perSecond: number): string {
  if (perSecond === 0) return '0 /s'
  if (perSecond >= 0.995) return `${short(perSecond)} /s`
  if (perSecond * 60 >= 0.995) return `${short(perSecond * 60)} /min`
  return `${short(perSecond * 3600)} /h`
}

const UNITS = ['', 'k', 'M', 'G', 'T'] as const

/** Three digits: `8.12`, `940`, `1.20k`. */
export function short(value: number): string {
  let rest = value
  let unit = 0
  while (rest >= 999.5 && unit < UNITS.length - 1) {
    rest /= 1000
    unit++
  }
  const decimals = Number.isInteger(rest) && unit === 0 ? 0 : rest < 9.995 ? 2 : rest < 99.95 ? 1 : 0
  return `${rest.toFixed(decimals)}${UNITS[unit]}`
}

const two = (value: number): string => String(value).padStart(2, '0')

/** Time of day where the reader is, `14:02:10`, with milliseconds on request. */
export function clock(ms: number, withMs = false): string {
  const date = new Date(ms)
  const text = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  return withMs ? `${text}.${String(date.getMilliseconds()).padStart(3, '0')}` : text
}

/** `21 Nov`, in the year of `nowMs`; with the year in another. */
export function day(ms: number, nowMs: number): string {
  const date = new Date(ms)
  const month = date.toLocaleString('en-US', { month: 'short' })
  const year = date.getFullYear() === new Date(nowMs).getFullYear() ? '' : ` ${date.getFullYear()}`
  return `${date.getDate()} ${month}${year}`
}

export function isSameDay(a: number, b: number): boolean {
  return new Date(a).toDateString() === new Date(b).toDateString()
}

/** `14:00:00 – 15:00:00`, with days where they are not today. */
export function formatSpan(sinceMs: number, untilMs: number, nowMs: number): string {
  const from = isSameDay(sinceMs, nowMs) ? '' : `${day(sinceMs, nowMs)} `
  const to = isSameDay(sinceMs, untilMs) ? '' : `${day(untilMs, nowMs)} `
  return `${from}${clock(sinceMs)} – ${to}${clock(untilMs)}`
}

/** Length of a span in the words of the picker: `42 s`, `15 min`, `6 h`. */
export function formatLength(ms: number): string {
  if (ms < 500) return 'under 1 s'
  if (ms < 60_000) return `${Math.round(ms / 1000)} s`
  if (ms < 5_400_000) return `${Math.round(ms / 60_000)} min`
  if (ms < 172_800_000) return `${Math.round(ms / 360_000) / 10} h`
  return `${Math.round(ms / 86_400_000)} days`
}
