import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { callsight } from '../cli/child.js'
import { canShiftClock, ShiftedClock, whyNoShim } from '../support/clock-shim.js'
import { imbalances } from '../support/store-account.js'
import { expectAllKept, expectErrorsKept, Scene, type Victim } from './harness.js'

const DAY_US = 86_400_000_000
let scene: Scene
beforeEach(() => {
  scene = new Scene()
})
afterEach(() => scene.dispose())

function query<T>(sql: string, ...values: unknown[]): T[] {
  const db = new Database(scene.store, { readonly: true, fileMustExist: true })
  try {
    return db
      .prepare(sql)
      .pluck()
      .all(...values) as T[]
  } finally {
    db.close()
  }
}

function count(sql: string, ...values: unknown[]): number {
  try {
    return query<number>(sql, ...values)[0] ?? 0
  } catch {
    // The program has not made its tables yet.
    return 0
  }
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 60_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error('it did not happen within a minute')
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

describe.skipIf(!canShiftClock)(
  `row 19: the wall clock jumps by a day while the program runs${whyNoShim}`,
  () => {
    it('forward and back: nothing young is deleted, nothing old stays, the order of records is theirs', async () => {
      const clock = new ShiftedClock(scene.folder)
      const victim = scene.start({ calls: 10, ending: 'watch', retention: '2s' }, { env: clock.env })
      const calls = 'SELECT count(*) FROM calls'
      const seen = () => scene.seen().calls.at(-1) ?? 0
      await until(() => count(calls) > 50)
      for (const by of ['+1d', '-1d', '+0']) {
        clock.shift(by)
        // Made under the new clock, and young: it is stored, and stays as long as one made before.
        // Every fourth call fails, and is no row of `calls`.
        const made = (Math.floor(seen() / 4) + 2) * 4 + 1
        const own = 'SELECT count(*) FROM calls WHERE args = ?'
        await until(() => count(own, `[${made}]`) === 1)
        const startedMs = performance.now()
        await until(() => count(own, `[${made}]`) === 0)
        expect(performance.now() - startedMs, `window after ${by}`).toBeGreaterThan(1_500)
      }
      victim.child.stdin.end()
      const ended = await victim.ended
      expect(ended).toMatchObject({ code: 0, stderr: '' })
      const numbers = query<string>('SELECT args FROM calls ORDER BY id').map(
        args => JSON.parse(args)[0] as number,
      )
      expect(numbers).toEqual([...numbers].sort((a, b) => a - b))
      expect(numbers.at(-1)).toBe(seen())
      // One gap in the order of time would be a jump: all rows are of the last seconds.
      expect(count('SELECT (max(id >> 11) - min(id >> 11)) / 1000000 FROM calls')).toBeLessThan(60)
      const kept = 'SELECT rows FROM expired WHERE kind = ?'
      expect(count(kept, 'calls') + numbers.length).toBe(scene.seen().calls.length)
      expect(count(kept, 'errors') + count('SELECT count(*) FROM errors')).toBe(scene.seen().errors.length)
    })

    it.each(['+1d', '-1d'])(
      '%s while the breaker is open: it waits its time by the monotonic clock',
      async by => {
        const clock = new ShiftedClock(scene.folder)
        const resetTimeoutMs = 2_000
        const victim = scene.start(
          { calls: 10, ending: 'watch', breaker: { resetTimeoutMs } },
          { env: clock.env },
        )
        await until(() => count('SELECT count(*) FROM calls') > 0)
        const holder = new Database(scene.store)
        holder.exec('BEGIN EXCLUSIVE')
        await victim.says('state open')
        const openedMs = performance.now()
        holder.exec('ROLLBACK')
        holder.close()
        clock.shift(by)
        const printed = () => victim.output.slice(victim.output.lastIndexOf('state open'))
        await until(() => printed().includes('state closed'))
        // The program was seen to be open a little later than it was; a breaker that jumps would close at once.
        expect(performance.now() - openedMs).toBeGreaterThan(resetTimeoutMs / 2)
        victim.child.stdin.end()
        expect((await victim.ended).code).toBe(0)
        expectAllKept(scene, await scene.recover())
      },
    )

    it('readers that look at the last minutes see what their own clock says, and no error', async () => {
      const clock = new ShiftedClock(scene.folder)
      const victim = scene.start({ calls: 40, ending: 'watch' }, { env: clock.env })
      await until(() => count('SELECT count(*) FROM errors') >= 10)
      clock.shift('-1d')
      const before = scene.seen().errors.length
      await until(() => scene.seen().errors.length > before + 5)
      victim.child.stdin.end()
      expect((await victim.ended).code).toBe(0)
      const reading = new ShiftedClock(scene.folder, 'reader')
      const rowsAt = (by: string): number => {
        reading.shift(by)
        const args = [
          'errors',
          '--list',
          '--since',
          '10m',
          '--limit',
          '100000',
          '--json',
          '--db',
          scene.store,
        ]
        const answer = callsight(args, { env: reading.env })
        const { rows } = JSON.parse(answer.out) as { rows: unknown[] }
        expect(answer).toMatchObject({ code: rows.length === 0 ? 3 : 0, err: '' })
        return rows.length
      }
      // The times of a process are its start and the monotonic clock: all of them lie in the last minutes of real time.
      expect(rowsAt('+0')).toBe(scene.seen().errors.length)
      expect(rowsAt('-1d')).toBe(scene.seen().errors.length)
      expect(rowsAt('+1d')).toBe(0)
    })
  },
)

describe.skipIf(!canShiftClock)(`row 19: the wall clock jumps between two runs${whyNoShim}`, () => {
  it.each(['-1d', '+1d'])('%s: the next start takes over what was left, once', async by => {
    const victim = scene.start({ calls: 300, errorEvery: 3, ending: 'block' })
    await victim.says('blocked')
    victim.child.kill('SIGKILL')
    await victim.ended
    expect(scene.journals()).toHaveLength(1)
    const clock = new ShiftedClock(scene.folder)
    clock.shift(by)
    for (let starts = 0; starts < 2; starts++) {
      const ended = await scene.run({ calls: 0, ending: 'recover' }, { truth: false, env: clock.env })
      expect(ended).toMatchObject({ code: 0, stderr: '' })
      expect(scene.journals()).toEqual([])
    }
    const account = await scene.recover()
    expectErrorsKept(scene, account)
    expect(account.errors).toHaveLength(100)
    const started = query<number>('SELECT started_us FROM processes ORDER BY process_id')
    expect(Math.abs((started[1] ?? 0) - (started[0] ?? 0))).toBeGreaterThan(0.9 * DAY_US)
  })

  it('processes whose clocks differ by a day, at once on one file: nobody deletes what is young for another', async () => {
    const rows = `SELECT coalesce(min(count), 0) FROM (SELECT count(calls.id) AS count
      FROM processes LEFT JOIN calls USING (process_id) GROUP BY process_id)`
    const victims: Victim[] = []
    for (const by of ['-1d', '+0', '+1d']) {
      const clock = new ShiftedClock(scene.folder, `clock-${victims.length}`)
      clock.shift(by)
      const plan = { calls: 10, ending: 'watch', retention: '2s' } as const
      victims.push(scene.start(plan, { truth: false, env: clock.env }))
      await until(() => count('SELECT count(*) FROM processes') === victims.length && count(rows) > 50)
    }
    // A call every 5 ms and a window of 2 s: each has about 400 of them, and a sweep every 200 ms.
    for (let looks = 0; looks < 50; looks++) {
      expect(count(rows)).toBeGreaterThan(50)
      await new Promise(resolve => setTimeout(resolve, 20))
    }
    for (const victim of victims) victim.child.stdin.end()
    for (const victim of victims) expect(await victim.ended).toMatchObject({ code: 0, stderr: '' })
    // Nor did anybody take a living process for dead.
    expect(query('SELECT DISTINCT ending FROM processes')).toEqual(['clean'])
    const account = await scene.recover()
    expect(imbalances(account)).toEqual(account.lanes.map(() => 0))
    expect(account.integrity).toBe('ok')
  })
})
