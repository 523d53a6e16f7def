import type { RowReader } from '../read-file.js'
import type { Bounds } from './filter.js'
import { SUMMED_HOURS_SQL, type TotalsUnit } from './statements.js'

/** Hours or minutes of which the totals are read, `first` up to the one before `behind`. */
export interface TotalSpan {
  readonly unit: TotalsUnit
  readonly first: number
  readonly behind: number
}

const MINUTES_PER_HOUR = 60
/** Two years; of a file that has more, the rest is read by the minute. */
const MOST_HOURS = 20_000

/**
 * The parts of a span of minutes, in their order and without a gap: hours that are summed as hours, everything else as
 * minutes. To be read in one snapshot with the totals.
 */
export function totalSpans(
  read: RowReader,
  { sinceMinute, untilMinute }: Pick<Bounds, 'sinceMinute' | 'untilMinute'>,
): TotalSpan[] {
  const hours = read.all<{ hour: number }>(SUMMED_HOURS_SQL, {
    first: Math.ceil(sinceMinute / MINUTES_PER_HOUR),
    behind: Math.floor(untilMinute / MINUTES_PER_HOUR),
    limit: MOST_HOURS,
  })
  const spans: { unit: TotalsUnit; first: number; behind: number }[] = []
  let minute = sinceMinute
  for (const { hour } of hours) {
    const first = hour * MINUTES_PER_HOUR
    if (minute < first) spans.push({ unit: 'minute', first: minute, behind: first })
    const before = spans.at(-1)
    if (before?.unit === 'hour') before.behind = hour + 1
    else spans.push({ unit: 'hour', first: hour, behind: hour + 1 })
    minute = first + MINUTES_PER_HOUR
  }
  if (minute < untilMinute) spans.push({ unit: 'minute', first: minute, behind: untilMinute })
  return spans
}

/** As statements over all of them take them. */
export function spansAsParams(spans: readonly TotalSpan[]): { hours: string; minutes: string } {
  const listOf = (unit: TotalsUnit): string =>
    JSON.stringify(spans.filter(span => span.unit === unit).map(({ first, behind }) => [first, behind]))
  return { hours: listOf('hour'), minutes: listOf('minute') }
}
