import { expect } from 'vitest'
import { describeLibrary } from './library.js'

describeLibrary({
  name: 'rxjs',
  dialects: ['standard', 'legacy'],
  ends: {
    'Feed.prices': { ok: 12, failed: 0 },
    'Feed.hot': { ok: 2, failed: 0 },
    'Feed.get level': { ok: 3, failed: 0 },
    'Feed.failing': { ok: 4, failed: 0 },
    'Feed.double': { ok: 1, failed: 0 },
    'Feed.latest': { ok: 1, failed: 0 },
    'Feed.project': { ok: 6, failed: 1 },
    evens: { ok: 1, failed: 0 },
    later: { ok: 2, failed: 0 },
    next: { ok: 2, failed: 0 },
    error: { ok: 1, failed: 0 },
    complete: { ok: 1, failed: 0 },
    teardown: { ok: 1, failed: 0 },
    subscribe: { ok: 1, failed: 0 },
    work: { ok: 3, failed: 0 },
    asap: { ok: 1, failed: 0 },
  },
  readable: place => {
    const [kept] = place.rows<{ kept: number }>(
      `SELECT count(*) AS kept FROM recent_calls
       WHERE function IN ('Feed.prices', 'Feed.hot', 'Feed.get level')
         AND (result LIKE '%Observable%' OR result LIKE '%Subject%')`,
    )
    expect(kept?.kept).toBe(17)
  },
})
