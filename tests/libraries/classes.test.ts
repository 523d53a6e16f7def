import { expect } from 'vitest'
import { describeLibrary } from './library.js'

describeLibrary({
  name: 'classes.legacy',
  dialects: ['legacy'],
  ends: {
    'Account.from': { ok: 4, failed: 0 },
    'Account.get firstCity': { ok: 17, failed: 1 },
    'Account.get title': { ok: 24, failed: 0 },
    'Account.rename': { ok: 1, failed: 0 },
    'Account.summary': { ok: 4, failed: 0 },
    'Address.label': { ok: 1, failed: 0 },
    'Even.defaultMessage': { ok: 1, failed: 0 },
    'Even.validate': { ok: 2, failed: 0 },
    asDay: { ok: 3, failed: 0 },
    isFree: { ok: 2, failed: 0 },
  },
  readable: place => {
    const [renamed] = place.rows<{ args: string; result: string }>(
      `SELECT args, result FROM recent_calls WHERE function = 'Account.rename'`,
    )
    expect(renamed?.args).toBe('["grace@example.com"]')
    expect(JSON.parse(renamed?.result ?? '')).toMatchObject({ '@class': 'Account', id: 4 })
  },
})
