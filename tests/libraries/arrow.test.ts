import { expect } from 'vitest'
import { describeLibrary } from './library.js'

describeLibrary({
  name: 'arrow',
  dialects: ['standard', 'legacy'],
  ends: {
    'Analysis.batches': { ok: 1, failed: 0 },
    'Analysis.column': { ok: 1, failed: 0 },
    'Analysis.load': { ok: 1, failed: 0 },
    'Analysis.reload': { ok: 1, failed: 0 },
    'Analysis.rows': { ok: 1, failed: 0 },
    'Analysis.slice': { ok: 2, failed: 0 },
    'Analysis.total': { ok: 2, failed: 1 },
    'Analysis.words': { ok: 1, failed: 0 },
  },
  readable: place => {
    const [longest] = place.rows<{ args: number; result: number }>(
      'SELECT max(length(args)) AS args, max(length(result)) AS result FROM recent_calls',
    )
    expect(longest?.args, 'a table is never listed').toBeLessThan(1_500)
    expect(longest?.result, 'nor a column').toBeLessThan(1_500)
    const [column] = place.rows<{ result: string }>(
      `SELECT result FROM recent_calls WHERE function = 'Analysis.column'`,
    )
    expect(column?.result).toBe('"[Vector 100000]"')
  },
})
