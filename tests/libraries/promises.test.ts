import { expect } from 'vitest'
import { describeLibrary } from './library.js'

describeLibrary({
  name: 'promises',
  dialects: ['standard', 'legacy'],
  ends: {
    'Jobs.wait': { ok: 2, failed: 0 },
    'Jobs.finish': { ok: 5, failed: 0 },
    'Jobs.refuse': { ok: 1, failed: 0 },
    'Jobs.node': { ok: 6, failed: 0 },
    'Jobs.output': { ok: 1, failed: 1 },
    doubled: { ok: 1, failed: 0 },
    fetchPart: { ok: 1, failed: 0 },
  },
  readable: place => {
    const [failure] = place.rows<{ error: string }>(
      `SELECT error FROM recent_errors WHERE function = 'Jobs.output' LIMIT 1`,
    )
    expect(failure?.error).toBe('ExecaError')
    const [child] = place.rows<{ result: string }>(
      `SELECT result FROM recent_calls WHERE function = 'Jobs.node' LIMIT 1`,
    )
    expect(child?.result).toBe('"[ChildProcess]"')
  },
})
