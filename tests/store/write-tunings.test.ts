import { describe, expect, it } from 'vitest'
import { openStore } from '../../lib/store/read.js'
import { UNCLEARED_TUNINGS_SQL } from '../../lib/store/tunings.js'
import { addTuning, clearTunings } from '../../lib/store/write-tunings.js'
import { all, column, tempStore } from './temp-store.js'

const asked = (pattern: string) =>
  ({ pattern, options: '{"sample":1}', process: null, forMs: 3_600_000, createdBy: 'me' }) as const

describe('changes that are asked for', () => {
  it('stay in force however many came and went since, and no more rows are kept than are looked at', () => {
    const { path, db } = tempStore()
    const first = addTuning(path, asked('first'))
    const nowUs = Date.now() * 1_000
    db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
      INSERT INTO tunings (pattern, options, process, created_us, expires_us, cleared_us, created_by)
      SELECT 'gone', '{}', NULL, ${nowUs}, iif(i % 2, ${nowUs - 1}, ${nowUs + 1e9}), iif(i % 2, NULL, ${nowUs}), 'me' FROM n`)
    const last = addTuning(path, asked('last'))
    const uncleared = all(db, UNCLEARED_TUNINGS_SQL).map(({ id }) => id)
    expect(uncleared).toContain(first.id)
    expect(uncleared).toContain(last.id)
    expect(column(db, 'SELECT count(*) FROM tunings')).toEqual([1_000])
    using store = openStore(path)
    expect(store.tunings().filter(({ state }) => state === 'in force')).toHaveLength(2)
    expect(clearTunings(path, 'first', null)).toBe(1)
  })
})
