import { expect } from 'vitest'
import { describeLibrary } from './library.js'

describeLibrary({
  name: 'typeorm.legacy',
  dialects: ['legacy'],
  ends: {
    'Author.get initials': { ok: 3, failed: 0 },
    'Book.get label': { ok: 2, failed: 0 },
    'Book.loaded': { ok: 6, failed: 0 },
    'Book.makeSlug': { ok: 1, failed: 0 },
    'Book.refuseEmpty': { ok: 1, failed: 1 },
    'Book.titled': { ok: 1, failed: 0 },
    'BookSubscriber.afterInsert': { ok: 1, failed: 0 },
    'BookSubscriber.beforeInsert': { ok: 2, failed: 0 },
    'Library.atomically': { ok: 2, failed: 1 },
    'Library.books': { ok: 10, failed: 0 },
    'Library.find': { ok: 1, failed: 1 },
    'Library.moveAll': { ok: 2, failed: 0 },
    'Library.query': { ok: 2, failed: 0 },
    'Library.save': { ok: 2, failed: 2 },
    inverse: { ok: 1, failed: 0 },
    toColumn: { ok: 11, failed: 0 },
  },
  readable: place => {
    const errors = place.rows<{ error: string; n: number }>(
      'SELECT error, count(*) / 3 AS n FROM recent_errors GROUP BY error ORDER BY error',
    )
    expect(errors).toEqual([
      { error: 'EntityNotFoundError', n: 1 },
      { error: 'QueryFailedError', n: 1 },
      { error: 'RangeError', n: 2 },
      { error: 'TypeError', n: 1 },
    ])
  },
})
