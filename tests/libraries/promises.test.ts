import { expect } from 'vitest'
import { describeLibrary } from './library.js'

describeLibrary({
  name: 'promises',
  dialects: ['standard', 'legacy'],
  ends: {
    'Jobs.wait': { ok: 0, failed: 1, open: 1 },
    'Jobs.finish': { ok: 4, failed: 0, open: 1 },
    'Jobs.refuse': { ok: 0, failed: 1 },
    'Jobs.node': { ok: 3, failed: 3 },
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
      `SELECT result FROM recent_calls WHERE function = 'Jobs.node' AND outcome = 'ok' LIMIT 1`,
    )
    expect(JSON.parse(child?.result ?? ''), 'what awaiting it gave').toMatchObject({
      exitCode: 0,
      failed: false,
    })
  },
})
