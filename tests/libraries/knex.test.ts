import { expect } from 'vitest'
import { describeLibrary } from './library.js'

describeLibrary({
  name: 'knex',
  dialects: ['standard', 'legacy'],
  ends: {
    'People.createTable': { ok: 1, failed: 0 },
    'People.add': { ok: 6, failed: 3 },
    'People.all': { ok: 8, failed: 0, open: 3 },
    'People.olderThan': { ok: 1, failed: 0 },
    'People.names': { ok: 3, failed: 0 },
    'People.addTwice': { ok: 0, failed: 1 },
    'People.raw': { ok: 1, failed: 1, open: 1 },
    'People.stream': { ok: 1, failed: 0 },
  },
  readable: place => {
    const shown = (name: string): unknown =>
      place.rows<{ args: string; result: string }>(
        'SELECT args, result FROM recent_calls WHERE function = ? LIMIT 1',
        name,
      )[0]
    expect(shown('People.olderThan')).toEqual({
      args: '["[QueryBuilder_SQLite3]",30]',
      result: '"[QueryBuilder_SQLite3]"',
    })
    expect(shown('People.stream')).toEqual({ args: '[]', result: '"[Transform]"' })
  },
})
