import { existsSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Mode, ModeReport, Transcript } from '../fixtures/src/library-scenario.js'
import { type Dialect, Place } from '../monitor/fixtures.js'

/** How often a monitored function returns and fails in one run of a scenario. */
export interface Ended {
  readonly ok: number
  readonly failed: number
  /** Calls that gave back a query or a promise whose `then` nobody called: counted when that is collected, if ever. */
  readonly open?: number
}
export type Ends = Readonly<Record<string, Ended>>

export interface Library {
  readonly name: string
  readonly dialects: readonly Dialect[]
  /** Every function that is monitored and called: nothing else may be in the store, nothing may be missing. */
  readonly ends: Ends
  /** What a person should be able to read in the store of the monitored program. */
  readonly readable?: (place: Place) => void
}

const MONITORED: readonly Mode[] = ['unsampled', 'untimed', 'recorded']
const sum = (ends: Ends, of: 'ok' | 'failed' | 'open'): number =>
  Object.values(ends).reduce((total, each) => total + (each[of] ?? 0), 0)

/** What is expected, when the calls beyond it are open ones that were collected. */
const without = (open: number, count: number, expected: number): number =>
  count > expected && count <= expected + open ? expected : count

/** Runs the scenario of a library bare and monitored, each in a process of its own, and compares what was seen. */
export function describeLibrary({ name, dialects, ends, readable }: Library): void {
  describe.each(dialects)(`${name}, %s dialect`, dialect => {
    const bare = new Place()
    const monitored = new Place()
    let seen: Transcript = []
    let reports: readonly ModeReport[] = []

    beforeAll(async () => {
      const [bareReports, monitoredReports] = await Promise.all([
        bare.json<ModeReport[]>(dialect, 'library-run', [name, 'bare']),
        monitored.json<ModeReport[]>(dialect, 'library-run', [name, ...MONITORED]),
      ])
      seen = bareReports[0]!.transcript
      reports = monitoredReports
    })
    afterAll(() => {
      bare.dispose()
      monitored.dispose()
    })

    it('sees something, and leaves no store without the decorator', () => {
      expect(seen.length).toBeGreaterThan(5)
      expect(existsSync(bare.store)).toBe(false)
    })

    it.each(MONITORED)('behaves the same when calls are %s', mode => {
      expect(reports.find(report => report.mode === mode)?.transcript).toEqual(seen)
    })

    it('records every call when sampled, and when not the errors and what led to them', () => {
      const failed = sum(ends, 'failed')
      expect(reports.map(({ mode, errors }) => ({ mode, errors }))).toEqual(
        MONITORED.map(mode => ({ mode, errors: failed })),
      )
      const [unsampled, untimed, recorded] = reports.map(({ calls }) => calls) as [number, number, number]
      expect(without(sum(ends, 'open'), recorded, sum(ends, 'ok'))).toBe(sum(ends, 'ok'))
      const [hindsight] = monitored.rows<{ n: number }>(
        'SELECT count(*) AS n FROM recent_calls WHERE weight = 0',
      )
      expect(unsampled + untimed, 'all of them promoted in hindsight').toBe(hindsight?.n)
    })

    it('has each function in the store with its outcomes, and exact totals of all three runs', () => {
      const stored: Record<string, { ok: number; failed: number }> = {}
      const rows = monitored.rows<{ function: string; ok: number; failed: number }>(
        `SELECT function, sum(outcome = 'ok') AS ok, sum(outcome = 'error') AS failed
         FROM recent_calls WHERE weight > 0 GROUP BY function`,
      )
      for (const { function: site, ok, failed } of rows) {
        const { open = 0, ok: expected = 0 } = ends[site] ?? {}
        const counted = { ok: without(open, ok, expected), failed: failed / MONITORED.length }
        if (counted.ok + counted.failed > 0) stored[site] = counted
      }
      const ended = Object.entries(ends).filter(([, { ok, failed }]) => ok + failed > 0)
      expect(stored).toEqual(
        Object.fromEntries(ended.map(([site, { ok, failed }]) => [site, { ok, failed }])),
      )

      const totals = monitored.rows<{ function: string; calls: number; errors: number }>(
        'SELECT function, calls, errors FROM function_totals',
      )
      const runs = MONITORED.length
      const counted = totals.map(({ function: site, calls, errors }) => {
        const { ok = 0, failed = 0, open = 0 } = ends[site] ?? {}
        return [site, { calls: without(runs * open, calls, runs * (ok + failed)), errors }] as const
      })
      expect(Object.fromEntries(counted.filter(([, { calls }]) => calls > 0))).toEqual(
        Object.fromEntries(
          ended.map(([site, { ok, failed }]) => [
            site,
            { calls: runs * (ok + failed), errors: runs * failed },
          ]),
        ),
      )
    })

    it('has valid JSON in every row', () => {
      const [invalid] = monitored.rows<{ n: number }>(
        'SELECT count(*) AS n FROM recent_calls WHERE NOT json_valid(args) OR (result IS NOT NULL AND NOT json_valid(result))',
      )
      expect(invalid?.n).toBe(0)
    })

    if (readable !== undefined) it('says in the store what was passed', () => readable(monitored))
  })
}
