import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadDriver } from '../../lib/store/driver.js'
import { StoreWriter, type TotalsDelta } from '../../lib/store/insert.js'
import { migrate } from '../../lib/store/migrate.js'
import { openForWriting } from '../../lib/store/open.js'
import { openStore } from '../../lib/store/read.js'
import { Retention } from '../../lib/store/retention.js'
import { MIGRATIONS } from '../../lib/store/schema.js'
import { HourSums } from '../../lib/store/sum-hours.js'
import { bucketUpperNs } from '../../lib/totals/layout.js'
import fc from '../support/fast-check.js'
import { all, column, kept, registerProcess, tempFolder } from './temp-store.js'

const US_PER_MINUTE = 60_000_000
/** An hour begins with it. */
const FIRST_MINUTE = 29_000_040
const HOURS = 5
const FUNCTIONS = ['A', 'B', 'C', 'Long.name']
const BOOTS = ['00000000000000aa', '00000000000000bb']
const RETENTION_MS = 3 * 60 * 60_000

type Delta = Omit<TotalsDelta, 'buckets'> & { readonly buckets: Readonly<Record<string, number>> }

/** What is in the file, kept in the plainest way: every addition by its minute. */
class Twin {
  rows: { minute: number; fn: string; delta: Delta }[] = []

  totals(since: number, until: number, only?: string) {
    const sums = new Map<string, { delta: Delta; buckets: Map<number, number> }>()
    for (const { minute, fn, delta } of this.rows) {
      if (minute < since || minute >= until || (only !== undefined && fn !== only)) continue
      const sum = sums.get(fn)
      const buckets = sum?.buckets ?? new Map<number, number>()
      for (const [bucket, calls] of Object.entries(delta.buckets))
        buckets.set(Number(bucket), (buckets.get(Number(bucket)) ?? 0) + calls)
      const before = sum?.delta
      sums.set(fn, {
        buckets,
        delta: {
          calls: delta.calls + (before?.calls ?? 0),
          errors: delta.errors + (before?.errors ?? 0),
          kept: delta.kept + (before?.kept ?? 0),
          timed: delta.timed + (before?.timed ?? 0),
          durationSumNs: delta.durationSumNs + (before?.durationSumNs ?? 0),
          durationMaxNs: Math.max(delta.durationMaxNs, before?.durationMaxNs ?? 0),
          buckets: {},
        },
      })
    }
    return [...sums].map(([name, { delta, buckets }]) => {
      const { calls, errors, timed, durationSumNs, durationMaxNs } = delta
      const percentileMs = (share: number) => {
        const total = [...buckets.values()].reduce((sum, n) => sum + n, 0)
        let upTo = 0
        for (const bucket of [...buckets.keys()].sort((a, b) => a - b)) {
          upTo += buckets.get(bucket) as number
          if (upTo >= share * total) return Math.min(bucketUpperNs(bucket), durationMaxNs) / 1e6
        }
        return null
      }
      return {
        function: name,
        calls,
        errors,
        mean_ms: timed > 0 ? durationSumNs / 1e6 / timed : null,
        p50_ms: percentileMs(0.5),
        p95_ms: percentileMs(0.95),
        p99_ms: percentileMs(0.99),
        max_ms: timed > 0 ? durationMaxNs / 1e6 : null,
      }
    })
  }
}

const byName = <Row extends { function?: unknown }>(rows: readonly Row[]) =>
  [...rows].sort((a, b) => String(a.function).localeCompare(String(b.function)))

/** A store, two writers of it and the twin. */
function scene() {
  const path = join(tempFolder(), 'calls.db')
  const twin = new Twin()
  const writers = BOOTS.map(boot => open(boot))

  function open(boot: string) {
    const db = kept(openForWriting(path))
    const store = new StoreWriter(db)
    return { db, store, hours: new HourSums(db), processId: registerProcess(store, boot) }
  }

  return {
    path,
    twin,
    db: () => writers[0]!.db,
    restart(who: number) {
      writers[who]!.db.close()
      writers[who] = open(BOOTS[who] as string)
    },
    add(who: number, minute: number, rows: readonly { fn: string; delta: Delta }[], commits: boolean) {
      const { store, processId } = writers[who]!
      store.begin()
      for (const { fn, delta } of rows) {
        const buckets = new Map(Object.entries(delta.buckets).map(([bucket, n]) => [Number(bucket), n]))
        store.addTotals(minute, store.functionId(fn), processId, { ...delta, buckets })
      }
      if (commits) store.commit()
      else store.rollback()
      if (commits) for (const { fn, delta } of rows) twin.rows.push({ minute, fn, delta })
    },
    sum(who: number, nowMinute: number, steps: number) {
      for (let step = 0; step < steps; step++)
        if (!writers[who]!.hours.step(nowMinute * US_PER_MINUTE)) return
    },
    sweep(who: number, nowMinute: number, rows: number) {
      const { db } = writers[who]!
      const retention = new Retention(db, { path, retentionMs: RETENTION_MS, maxBytes: 2 ** 40 })
      retention.sweepSlice(nowMinute * US_PER_MINUTE, rows)
      // What went is asked of the file; that only old minutes go has its own tests.
      const first = column(db, 'SELECT min(minute) FROM totals')[0] as number | null
      twin.rows = twin.rows.filter(({ minute }) => minute >= (first ?? Number.POSITIVE_INFINITY))
    },
  }
}

const count = fc.nat(1000)
const delta: fc.Arbitrary<Delta> = fc.record({
  calls: count,
  errors: count,
  kept: count,
  timed: count,
  durationSumNs: fc.nat(2 ** 31 - 1),
  durationMaxNs: fc.nat(2 ** 31 - 1),
  buckets: fc.dictionary(fc.nat(287).map(String), fc.nat(50), { maxKeys: 4 }),
})
const minute = fc.nat(HOURS * 60 - 1).map(n => FIRST_MINUTE + n)
const who = fc.nat(BOOTS.length - 1)
const later = fc.nat((HOURS + 2) * 60).map(n => FIRST_MINUTE + n)
const added = fc.record({ fn: fc.constantFrom(...FUNCTIONS), delta })

type Scene = ReturnType<typeof scene>
const action: fc.Arbitrary<(on: Scene) => void> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(who, minute, fc.array(added, { minLength: 1, maxLength: 5 }), fc.nat(9)).map(
      ([w, m, rows, n]) =>
        (on: Scene) =>
          on.add(w, m, rows, n > 0),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(who, later, fc.nat(8)).map(
      ([w, m, n]) =>
        (on: Scene) =>
          on.sum(w, m, n),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(who, later, fc.integer({ min: 1, max: 20 })).map(
      ([w, m, n]) =>
        (on: Scene) =>
          on.sweep(w, m, n),
    ),
  },
  { weight: 1, arbitrary: who.map(w => (on: Scene) => on.restart(w)) },
)

describe('totals of any span are the sums of its minutes', () => {
  it('whatever was summed, added late, given up, swept, and by whom', () => {
    let summed = 0
    const span = fc.tuple(later, later, fc.option(fc.constantFrom(...FUNCTIONS), { nil: undefined }))
    fc.assert(
      fc.property(
        fc.array(action, { minLength: 5, maxLength: 40 }),
        fc.array(span, { minLength: 3, maxLength: 6 }),
        (actions, spans) => {
          const on = scene()
          for (const act of actions) act(on)
          on.sum(0, FIRST_MINUTE + (HOURS + 2) * 60, 20)
          summed += column(on.db(), 'SELECT count(*) FROM hours')[0] as number
          using store = openStore(on.path)
          for (const [a, b, fn] of spans) {
            const [since, until] = [Math.min(a, b), Math.max(a, b)]
            const filter = {
              since: new Date(since * 60_000),
              until: new Date(until * 60_000),
              ...(fn === undefined ? {} : { function: fn }),
            }
            const wanted = on.twin.totals(since, until, fn)
            expect(byName(store.top(filter))).toEqual(byName(wanted))
            const { calls, totalsSince } = store.coverage(filter)
            expect(calls).toBe(wanted.reduce((sum, row) => sum + row.calls, 0))
            const minutes = on.twin.rows
              .filter(row => row.minute >= since && row.minute < until && (fn ?? row.fn) === row.fn)
              .map(row => row.minute)
            const first = Math.min(...minutes)
            expect(totalsSince).toBe(minutes.length > 0 ? new Date(first * 60_000).toISOString() : null)
          }
          const everything = byName(on.twin.totals(0, Number.POSITIVE_INFINITY))
          expect(byName(store.top())).toEqual(everything)
          expect(byName(store.sql('SELECT * FROM function_totals'))).toEqual(everything)
        },
      ),
      { numRuns: 60 },
    )
    expect(summed).toBeGreaterThan(30)
  })
})

const ONE: Delta = {
  calls: 1,
  errors: 0,
  kept: 0,
  timed: 1,
  durationSumNs: 5,
  durationMaxNs: 5,
  buckets: { '3': 1 },
}

/** One call of each function in every minute of so many hours, all summed that can be. */
function filled(functions: readonly string[], hours: number) {
  const on = scene()
  for (let n = 0; n < hours * 60; n++)
    on.add(
      0,
      FIRST_MINUTE + n,
      functions.map(fn => ({ fn, delta: ONE })),
      true,
    )
  return on
}

const FIRST_HOUR = FIRST_MINUTE / 60
const summedHours = (on: Scene) =>
  column(on.db(), 'SELECT hour FROM hours_summed WHERE summed_up_to IS NULL ORDER BY hour').map(
    hour => (hour as number) - FIRST_HOUR,
  )

describe('an hour is summed', () => {
  it('when it is over, and not as long as retention takes minutes of it', () => {
    const on = filled(['A'], 4)
    on.sum(0, FIRST_MINUTE + 3 * 60 + 1, 20)
    expect(summedHours(on)).toEqual([1])
    on.sum(0, FIRST_MINUTE + 3 * 60 + 2, 20)
    expect(summedHours(on)).toEqual([1, 2])
    // A minute of the oldest hour goes, then the last of it, then the first of the next.
    for (const [minutes, left] of [
      [1, [1, 2]],
      [60, [1, 2]],
      [61, [2]],
    ] as const) {
      on.sweep(0, FIRST_MINUTE + minutes + RETENTION_MS / 60_000, 1_000)
      on.sum(0, FIRST_MINUTE + 3 * 60 + 2, 20)
      expect(summedHours(on)).toEqual(left)
    }
    expect(column(on.db(), 'SELECT DISTINCT hour FROM hours')).toEqual([FIRST_HOUR + 2])
  })

  it('in steps of some functions, and read from the minutes until the last of them', () => {
    const functions = Array.from({ length: 70 }, (_, i) => `Fn${i}`)
    const on = filled(functions, 2)
    on.sum(0, FIRST_MINUTE + 3 * 60, 1)
    expect(summedHours(on)).toEqual([])
    expect(column(on.db(), 'SELECT count(*) FROM hours')).toEqual([32])
    using store = openStore(on.path)
    expect(store.top({ limit: 1_000 }).map(row => row.calls)).toEqual(functions.map(() => 120))
    // Another process goes on with it.
    on.sum(1, FIRST_MINUTE + 3 * 60, 1)
    on.sum(0, FIRST_MINUTE + 3 * 60, 1)
    expect(summedHours(on)).toEqual([1])
    expect(store.top({ limit: 1_000 }).map(row => row.calls)).toEqual(functions.map(() => 120))
  })

  it('whatever stands in its place already', () => {
    const on = filled(['A'], 2)
    for (const fn of [1, 99])
      on.db().exec(`INSERT INTO hours VALUES (${FIRST_HOUR + 1}, ${fn}, 7, 7, 7, 7, 7, 7, '{"3":7}')`)
    on.sum(0, FIRST_MINUTE + 3 * 60, 20)
    expect(column(on.db(), 'SELECT calls FROM hours')).toEqual([60])
  })

  it('anew when somebody was late, once for all he adds', () => {
    const on = filled(['A', 'B'], 3)
    on.sum(0, FIRST_MINUTE + 4 * 60, 20)
    expect(summedHours(on)).toEqual([1, 2])
    on.add(
      1,
      FIRST_MINUTE + 60,
      ['A', 'B'].map(fn => ({ fn, delta: ONE })),
      true,
    )
    expect(summedHours(on)).toEqual([2])
    on.sum(0, FIRST_MINUTE + 4 * 60, 20)
    expect(summedHours(on)).toEqual([1, 2])
    expect(column(on.db(), 'SELECT calls FROM hours WHERE hour = ?', FIRST_HOUR + 1)).toEqual([61, 61])
  })
})

describe('a file of version 2', () => {
  it('has its hours summed by the first writer, and answers as before', () => {
    const folder = tempFolder()
    const old = join(folder, 'old.db')
    const before = kept(new (loadDriver())(old))
    migrate(before, old, MIGRATIONS.slice(0, 2))
    before.exec("INSERT INTO functions VALUES (1, 'A')")
    for (let n = 0; n < 180; n++)
      before.exec(`INSERT INTO totals VALUES (${FIRST_MINUTE + n}, 1, 1, 2, 1, 0, 2, 10, 9, '{"3":2}')`)
    before.close()
    const path = join(folder, 'calls.db')
    copyFileSync(old, path)
    const db = kept(openForWriting(path))
    const asked = () => all(db, 'SELECT * FROM function_totals')
    const answer = asked()
    expect(answer).toMatchObject([{ function: 'A', calls: 360, errors: 180 }])
    const hours = new HourSums(db)
    while (hours.step((FIRST_MINUTE + 240) * US_PER_MINUTE));
    expect(column(db, 'SELECT calls FROM hours')).toEqual([120, 120])
    expect(asked()).toEqual(answer)
  })
})
