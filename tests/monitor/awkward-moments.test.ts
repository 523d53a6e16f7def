import { existsSync, readdirSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Account } from 'callsight'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Place } from './fixtures.js'

interface Answer<T> {
  readonly answer: T
  readonly account: Account
}

let place: Place
beforeEach(() => {
  place = new Place()
})
afterEach(() => place.dispose())

const run = <T>(scenario: string, node: readonly string[] = []): Promise<Answer<T>> =>
  place.json('standard', 'semantics-reentrant', [scenario], { node })

describe('monitored calls while a value is captured', () => {
  it('are counted as reentrant, return what they return, and leave the record around them whole', async () => {
    const { answer, account } = await run<{ results: unknown[]; formatted: string }>('prepare')
    expect(answer.results).toEqual([42, [1], { done: true }])
    expect(answer.formatted).toBe('formatted by the app at true')
    // Twice for the two errors: helper, a new generator, a helper that fails; and once the generator that ended there.
    expect(account.calls.dropped).toEqual({ reentrant: 7 })
    // Both failures, and the one of the helper when the app itself asked for a stack.
    expect(account.errors).toMatchObject({ produced: 3, stored: 3, dropped: {} })
    expect(account.balanced).toBe(true)
    const errors = place.rows<{ message: string; stack: string }>(
      "SELECT message, stack FROM recent_errors WHERE function = 'fail' ORDER BY at",
    )
    expect(errors.map(({ message, stack }) => [message, stack])).toEqual([
      ['failure 1', 'failure 1 at true'],
      ['failure 2', 'failure 2 at true'],
    ])
    expect(
      place.rows("SELECT function, count FROM losses WHERE reason = 'reentrant' ORDER BY function"),
    ).toEqual([
      { function: 'helper', count: 2 },
      { function: 'helperFailing', count: 2 },
      { function: 'helperSteps', count: 3 },
    ])
  })
})

describe('deep recursion', () => {
  it('10,000 recorded calls deep: every one stored, with its parent', async () => {
    // What a wrapper adds to a frame needs a larger stack than the one Node has by default.
    const { answer, account } = await run<number>('deep', ['--stack-size=6000'])
    expect(answer).toBe(10_000)
    expect(account.calls).toMatchObject({ produced: 10_001, stored: 10_001, dropped: {} })
    const [chain] = place.rows<{ parents: number; traces: number; args: number }>(
      'SELECT count(DISTINCT parent_id) AS parents, count(DISTINCT trace_id) AS traces, count(args) AS args FROM recent_calls',
    )
    expect(chain).toEqual({ parents: 10_000, traces: 1, args: 10_001 })
  })

  it('without end: the very RangeError of the bare function, and the program goes on', async () => {
    const { answer } = await run<Record<string, unknown>>('overflowTold')
    expect(answer).toEqual({
      bare: ['RangeError', 'Maximum call stack size exceeded', 'true'],
      monitored: ['RangeError', 'Maximum call stack size exceeded', 'true'],
      after: 8,
    })
  })

  it.each([
    ['overflowCaught', 'inside a monitored call that returns'],
    ['overflowCaughtLater', 'inside one that goes on for ever'],
    ['overflowAfterAwait', 'inside one that has awaited'],
    ['overflowThenExit', 'and the process exits at once'],
  ])('%s: a stack overflow caught %s is recorded, frame by frame', async scenario => {
    const said = await place.json<{ answer: boolean }>('standard', 'semantics-reentrant', [scenario])
    // The failed calls are recorded when the stack has room again, not only when the process ends.
    expect(said.answer).toBe(true)
    const [totals] = place.rows<{ calls: number; errors: number }>(
      "SELECT calls, errors FROM function_totals WHERE function = 'endless'",
    )
    const [stored] = place.rows<{ count: number }>(
      "SELECT count(*) AS count FROM recent_errors WHERE function = 'endless'",
    )
    expect(totals?.errors).toBeGreaterThan(500)
    expect(totals).toEqual({ calls: stored?.count, errors: stored?.count })
    // Not one attempt to record an error where there was no room for it.
    expect(place.rows('SELECT DISTINCT dropped FROM lanes WHERE lane = 1')).toEqual([{ dropped: '{}' }])
  })
})

describe('calls while modules load and while the process ends', () => {
  it.each(['first', 'last'])('exit listener registered %s: all is stored by the next start', async order => {
    const ended = await place.run('standard', 'semantics-exit', [order])
    expect(ended).toEqual({ code: 0, stdout: 'exit 0', stderr: '' })
    const recovered = await place.run('standard', 'semantics-exit', ['wait'])
    expect(recovered).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(readdirSync(dirname(place.store)).filter(file => file.includes('errors'))).toEqual([])
    const rows = place.rows<{ function: string; outcome: string; args: string }>(
      "SELECT function, outcome, args FROM recent_calls WHERE function IN ('early', 'late') ORDER BY at, call_id",
    )
    expect(rows).toEqual([
      { function: 'early', outcome: 'ok', args: '[1]' },
      { function: 'late', outcome: 'ok', args: '[1]' },
      { function: 'late', outcome: 'error', args: '[-1]' },
      { function: 'early', outcome: 'ok', args: '[1]' },
    ])
    const lanes = place.rows<{ produced: number; stored: number; dropped: string }>(
      'SELECT produced, stored, dropped FROM lanes',
    )
    for (const { produced, stored, dropped } of lanes) {
      expect([stored, dropped]).toEqual([produced, '{}'])
    }
  })
})

describe('memory', () => {
  it('a million steps, generators left half way, functions wrapped and let go of: nothing grows', async () => {
    const { grownBytes } = await place.json<{ grownBytes: number }>('standard', 'semantics-memory', [], {
      node: ['--expose-gc'],
    })
    // One byte kept per step, or a hundred per generator or function let go of. What is left is the noise of a heap.
    expect(grownBytes).toBeLessThan(1_000_000)
  })
})

describe('switched off', () => {
  it('CALLSIGHT=off: functions stay the very same, and nothing is created', async () => {
    for (const value of ['off', '0', 'false']) {
      const answer = await place.json('standard', 'semantics-off', [], { env: { CALLSIGHT: value } })
      expect(answer).toEqual({
        sameFunction: true,
        sameSource: true,
        refused: 'CallsightConfigError',
        results: [1, 2, 3, [1], 16],
        state: 'off',
        reason: 'CALLSIGHT=off',
        produced: 0,
      })
    }
    expect(await place.json('legacy', 'semantics-off', [], { env: { CALLSIGHT: 'off' } })).toMatchObject({
      sameFunction: true,
      sameSource: true,
      state: 'off',
    })
    expect(readdirSync(place.folder)).toEqual([])
  })

  it('configure({ enabled: false }): functions work, and nothing is created', async () => {
    expect(await place.json('standard', 'semantics-off', ['configure'])).toMatchObject({
      results: [1, 2, 3, [1], 16],
      state: 'off',
      produced: 0,
    })
    expect(readdirSync(place.folder)).toEqual([])
  })

  it('a program that only imports Callsight creates nothing', async () => {
    await place.run('standard', 'semantics-rejection', ['bare', 'a rejection is handled at once'])
    expect(existsSync(place.store)).toBe(false)
    expect(readdirSync(place.folder)).toEqual([])
  })
})
