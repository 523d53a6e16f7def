import { describe, expect, it } from 'vitest'
import { MOMENT_FORMS, parseMoment } from '../../lib/store/queries/moment.js'

/** Ten past three in the morning. */
const NOW = Date.UTC(2026, 10, 21, 3, 10, 0)
const utc = (text: string) => Date.parse(text)

describe('a moment', () => {
  it.each([
    ['10m', NOW - 600_000],
    ['-10m', NOW - 600_000],
    [250, NOW - 250],
    ['now', NOW],
    ['02:50', utc('2026-11-21T02:50:00Z')],
    ['2:50', utc('2026-11-21T02:50:00Z')],
    ['02:50:30', utc('2026-11-21T02:50:30Z')],
    ['03:10', NOW],
    // Not yet today: yesterday.
    ['03:11', utc('2026-11-20T03:11:00Z')],
    ['23:59:59Z', utc('2026-11-20T23:59:59Z')],
    // A zone shifts the day, too.
    ['03:50+01:00', utc('2026-11-21T02:50:00Z')],
    ['22:00-05:00', utc('2026-11-21T03:00:00Z')],
    ['22:30-05:00', utc('2026-11-20T03:30:00Z')],
    ['2026-11-20', utc('2026-11-20T00:00:00Z')],
    ['2026-11-20T10:00', utc('2026-11-20T10:00:00Z')],
    ['2026-11-20T10:00+02:00', utc('2026-11-20T08:00:00Z')],
  ])('%s', (text, expected) => {
    expect(parseMoment(text, NOW)).toBe(expected)
  })

  it.each(['', '24:00', '10:60', '10:00:60', '10:5', '1000', '--10m', '10:00+15:00', 'noon', '10:00 '])(
    '%j is none',
    text => {
      expect(parseMoment(text, NOW)).toBeNaN()
    },
  )

  it('takes what the message that refuses one tells to use', () => {
    for (const form of ['10m', '6h', '02:50', '2026-11-20T10:00Z']) {
      expect(MOMENT_FORMS).toContain(form)
      expect(parseMoment(form, NOW)).not.toBeNaN()
    }
  })
})
