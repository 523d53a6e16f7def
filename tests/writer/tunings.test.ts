import { describe, expect, it } from 'vitest'
import type { ImposedRule } from '../../lib/sampling/tuning.js'
import type { StoreWriter } from '../../lib/store/insert.js'
import { MAX_TUNINGS, type StoredTuning } from '../../lib/store/tunings.js'
import { Incidents } from '../../lib/writer/incidents.js'
import { Tunings } from '../../lib/writer/tunings.js'

const RETENTION_MS = 1_000_000
const WALL0_MS = 1_700_000_000_000

/** A writer's look at a table of changes, with clocks that are moved by hand. */
function scene({ isHeir = false } = {}) {
  const told: (readonly ImposedRule[])[] = []
  const incidents = new Incidents()
  const clock = { wallMs: WALL0_MS, nowMs: 5_000 }
  const tunings = new Tunings({
    process: { pid: 4711, script: 'app.js', boot: '00000000000000aa' },
    retentionMs: RETENTION_MS,
    incidents,
    tell: rules => told.push(rules),
    isHeir,
    wallMs: () => clock.wallMs,
    nowMs: () => clock.nowMs,
  })
  const rows: StoredTuning[] = []
  return {
    told,
    incidents,
    clock,
    rows,
    tunings,
    set(over: Partial<StoredTuning> = {}, forMs = 60_000): StoredTuning {
      const createdUs = clock.wallMs * 1_000
      const row = {
        id: rows.length + 1,
        pattern: 'a',
        options: '{"sample":1}',
        process: null,
        createdUs,
        expiresUs: createdUs + forMs * 1_000,
        createdBy: 'me',
        ...over,
      }
      rows.push(row)
      return row
    },
    look: (file = 'f') => tunings.look(file, rows, clock.nowMs * 1_000),
    pass(ms: number) {
      clock.wallMs += ms
      clock.nowMs += ms
    },
    /** Everything that is written of it: detail, begin and end. */
    written() {
      const found: [string, string, number, number | null][] = []
      const store = {
        incident: (_: number, kind: string, started: number, ended: number | null, detail: string) =>
          found.push([kind, detail, started, ended]),
        endIncident: (id: number, ended: number) => {
          if (found[id - 1] !== undefined) found[id - 1]![3] = ended
        },
      } as unknown as StoreWriter
      incidents.write(store, 1, 'f')
      return found
    },
  }
}

const DETAIL = '#1 a {"sample":1} for 1m, by me'

describe('changes asked for by the store', () => {
  it('are told when there are any, once, and when they are over', () => {
    const on = scene()
    on.look()
    expect(on.told).toEqual([])
    on.set()
    on.pass(500)
    on.look()
    on.look()
    expect(on.told).toEqual([[{ pattern: 'a', options: { sample: 1 }, endMs: 5_000 + 60_000 }]])
    expect(on.written()).toEqual([['tuned', DETAIL, 5_500_000, null]])
    on.tunings.repeat()
    expect(on.told).toHaveLength(2)
    on.pass(60_000)
    on.look()
    expect(on.told.at(-1)).toEqual([])
    expect(on.written()).toEqual([['tuned', DETAIL, 5_500_000, 65_000_000]])
    on.tunings.repeat()
    expect(on.told).toHaveLength(3)
  })

  it('lift the limit per second by null, which is how JSON has it', () => {
    const on = scene()
    on.set({ options: '{"maxPerSecond":null}' })
    on.look()
    expect(on.told.at(-1)?.[0]?.options).toEqual({ maxPerSecond: Number.POSITIVE_INFINITY })
    expect(on.written()[0]?.slice(0, 2)).toEqual(['tuned', '#1 a {"maxPerSecond":null} for 1m, by me'])
  })

  it('end when their row goes, and are not told to a thread that comes then', () => {
    const on = scene()
    on.set()
    on.set({ pattern: 'b' })
    on.look()
    on.rows.shift()
    on.pass(1_000)
    on.look()
    expect(on.told.at(-1)?.map(rule => rule.pattern)).toEqual(['b'])
    expect(on.written().map(([, , , ended]) => ended)).toEqual([6_000_000, null])
  })

  it('hold as long as they should by a clock that does not jump', () => {
    const on = scene()
    on.set()
    on.look()
    for (const jumpMs of [86_400_000, -2 * 86_400_000]) {
      on.clock.wallMs += jumpMs
      on.look()
    }
    expect(on.told).toHaveLength(1)
    on.pass(60_000)
    on.look()
    expect(on.told.at(-1)).toEqual([])
    on.look()
    expect(on.told).toHaveLength(2)
  })

  it('hold no longer than their author said, nor longer than the recording reaches back', () => {
    const on = scene()
    on.set({ createdUs: (WALL0_MS + 500_000) * 1_000, expiresUs: (WALL0_MS + 560_000) * 1_000 })
    on.set({ expiresUs: Number.MAX_SAFE_INTEGER })
    on.look()
    expect(on.told[0]?.map(rule => rule.endMs - 5_000)).toEqual([60_000, RETENTION_MS])
  })

  it.each(['4711', 'app.js[4711]', '00000000000000aa', null])('are for this process: %s', process => {
    const on = scene()
    on.set({ process })
    on.look()
    expect(on.told).toHaveLength(1)
  })

  it.each(['4712', 'app.js[471]', 'app.js', '', '4711 '])('are not for this process: %s', process => {
    const on = scene()
    on.set({ process, options: 'not even JSON' })
    on.look()
    expect(on.told).toEqual([])
    expect(on.written()).toEqual([])
  })

  it('that mean nothing are noted once, and harm no other', () => {
    const on = scene()
    for (const row of [
      { pattern: null },
      { options: null },
      { options: '[]' },
      { options: '{"sample":-1}' },
      { options: '{"capture":{"args":"all"}}' },
      { pattern: 'x'.repeat(257) },
    ])
      on.set(row)
    on.set({ pattern: 'good' })
    on.set({ expiresUs: Number.NaN, options: '' })
    for (let look = 0; look < 3; look++) on.look()
    expect(on.told.map(rules => rules.map(rule => rule.pattern))).toEqual([['good']])
    const [refused, tuned, ...rest] = on.written().map(([kind, detail]) => `${kind} ${detail}`)
    expect(refused).toMatch(/^tuning_refused #1: Callsight: a pattern must be .* \(and 5 more\)$/)
    expect(tuned).toBe('tuned #7 good {"sample":1} for 1m, by me')
    expect(rest).toEqual([])
  })

  it('are so many at most, the newest', () => {
    const on = scene()
    for (let n = 0; n < MAX_TUNINGS + 10; n++) on.set({ pattern: `f${n}` })
    on.look()
    expect(on.told[0]?.map(rule => rule.pattern)).toEqual(
      Array.from({ length: MAX_TUNINGS }, (_, n) => `f${n + 10}`),
    )
  })

  it('are those of the file that is open', () => {
    const on = scene()
    on.set()
    on.look('old')
    on.rows.length = 0
    on.set({ pattern: 'b' })
    on.look('new')
    expect(on.told.at(-1)?.map(rule => rule.pattern)).toEqual(['b'])
  })

  it('are told by a writer that was started again even when none is left, and its incidents go on', () => {
    const on = scene({ isHeir: true })
    const open = (id: number, detail: string) => ({ id, kind: 'tuned' as const, detail, startedUs: 7 })
    on.incidents.goOn('f', [open(1, DETAIL), open(2, 'cleared meanwhile')])
    on.set()
    on.look()
    expect(on.incidents.openDetails('tuned')).toEqual([DETAIL])
    const none = scene({ isHeir: true })
    none.look()
    none.look()
    expect(none.told).toEqual([[]])
  })
})
