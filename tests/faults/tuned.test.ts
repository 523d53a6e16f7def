import { spawnSync } from 'node:child_process'
import { chmodSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadDriver } from '../../lib/store/driver.js'
import { openStore } from '../../lib/store/read.js'
import { Scene, type Victim } from './harness.js'

const PROGRAM = fileURLToPath(new URL('../.build/standard/tuned.js', import.meta.url))
const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const WAIT_MS = 60_000
const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']

class TunedScene extends Scene {
  tuned(how = '', env: NodeJS.ProcessEnv = {}): Victim {
    return this.spawn(PROGRAM, how === '' ? [] : [how], { env })
  }

  set(...args: string[]) {
    return command([process.execPath, CLI, 'set', ...args, '--db', this.store])
  }

  rows<Row>(sql: string, ...values: unknown[]): Row[] {
    using store = openStore(this.store)
    return store.sql(sql, values as string[]) as unknown as Row[]
  }

  /** Calls of this function that are recorded, and one of them. */
  recorded(name: string) {
    const [row] = this.rows<{ calls: number; args: string | null; pid: number }>(
      `SELECT count(*) AS calls, max(args) AS args FROM recent_calls WHERE function = ?`,
      name,
    )
    return row as { calls: number; args: string | null }
  }

  incidents(kind = 'tuned') {
    using store = openStore(this.store)
    return store.incidents({ kind })
  }

  async starts(...victims: Victim[]): Promise<void> {
    for (const victim of victims) await victim.says('running')
    await until(() => {
      try {
        return this.rows('SELECT 1 FROM function_totals').length > 0
      } catch {
        return false
      }
    })
    await until(() => this.rows('SELECT 1 FROM processes').length === victims.length)
  }

  async end(victim: Victim): Promise<void> {
    victim.child.stdin.write('end\n')
    const { code, stderr } = await victim.ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  }
}

function command([program = '', ...args]: readonly string[]) {
  const { CALLSIGHT_DB: _, ...env } = process.env
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', env })
  return { code: status, out: stdout, err: stderr }
}

async function until(condition: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + WAIT_MS
  while (!condition()) {
    if (performance.now() > deadlineMs) throw new Error('it did not happen within a minute')
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

let scene: TunedScene
beforeEach(() => {
  scene = new TunedScene()
})
afterEach(() => scene.dispose())

describe('a program that runs is tuned through its store', () => {
  it('records what it left out, says who wanted it, and goes back by itself', {
    timeout: 120_000,
  }, async () => {
    const victim = scene.tuned()
    await scene.starts(victim)
    expect(scene.recorded('Orders.place').calls).toBe(0)
    const { code, out, err } = scene.set('Orders.pl*', '--sample', '1', '--args', '--for', '12s')
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toMatch(/^#1 Orders\.pl\*: sample 1, args full, until 20.*Z\. 1 running process: /)
    await until(() => /^\[\{"id":\d+\}\]$/.test(scene.recorded('Orders.place').args ?? ''))
    await until(() => scene.incidents().length === 1)
    const [begun] = scene.incidents()
    expect(begun?.detail).toMatch(
      /^#1 Orders\.pl\* \{"sample":1,"capture":\{"args":true\}\} for 12s, by (uid \d+|\S+), pid \d+, host /,
    )
    await until(() => scene.incidents()[0]?.until != null)
    // Nothing waits in the ring of a call that was recorded before.
    await until(() => {
      const { calls } = scene.recorded('Orders.place')
      const [total] = scene.rows<{ calls: number }>(
        "SELECT calls FROM function_totals WHERE function = 'Orders.place'",
      )
      return total !== undefined && total.calls > calls + 200
    })
    const { calls } = scene.recorded('Orders.place')
    const before = scene.rows<{ calls: number }>('SELECT sum(calls) AS calls FROM function_totals')[0]!.calls
    await until(
      () =>
        scene.rows<{ calls: number }>('SELECT sum(calls) AS calls FROM function_totals')[0]!.calls >
        before + 100,
    )
    expect(scene.recorded('Orders.place').calls).toBe(calls)
    expect(scene.recorded('Orders.refund').calls).toBe(0)
    expect(scene.set('--list').out).toMatch(/FUNCTIONS[\s\S]*Orders\.pl\* +sample 1, args full +expired/)
    await scene.end(victim)
  })

  it('one process of two, until it is cleared; the other and later ones when all are meant', {
    timeout: 180_000,
  }, async () => {
    const [one, two] = [scene.tuned(), scene.tuned()]
    await scene.starts(one, two)
    const pid = scene.rows<{ pid: number }>('SELECT pid FROM processes ORDER BY process_id')[0]!.pid
    const wrong = scene.set('*', '--sample', '1', '--process', '999999999')
    expect(wrong).toMatchObject({ code: 2, out: '' })
    expect(wrong.err).toMatch(/^callsight: No process "999999999" writes into .*\n$/)
    expect(scene.set('*.place', '--sample', '1', '--for', '1h', '--process', `${pid}`).out).toContain(
      '1 running process',
    )
    await until(() => scene.incidents().length === 1)
    await until(() => scene.recorded('Orders.place').calls > 10)
    const who = () =>
      scene
        .rows<{ process: string }>(
          "SELECT DISTINCT process FROM recent_calls WHERE function = 'Orders.place'",
        )
        .map(row => row.process)
    expect(who()).toEqual([`tuned.js[${pid}]`])
    expect(scene.set('*.place', '--clear')).toMatchObject({ code: 0, err: '' })
    await until(() => scene.incidents()[0]?.until != null)
    const again = scene.set('*.place', '--clear')
    expect(again).toMatchObject({ code: 2, out: '' })
    expect(again.err).toMatch(/Nothing is in force for "\*\.place"/)

    expect(scene.set('*.place', '--sample', '0.5', '--args', 'types', '--for', '1h').out).toContain(
      '2 running processes',
    )
    await until(() => who().length === 2)
    const third = scene.tuned()
    await third.says('running')
    await until(() => who().length === 3)
    await until(() => scene.incidents().filter(({ until: end }) => end === null).length === 3)
    for (const victim of [one, two, third]) await scene.end(victim)
  })

  it('its worker threads too: those that run, one that starts later; and a blocked thread when it turns', {
    timeout: 180_000,
  }, async () => {
    const victim = scene.tuned('worker')
    await scene.starts(victim)
    await until(() => scene.rows("SELECT 1 FROM function_totals WHERE function = 'Thread.place'").length > 0)
    expect(scene.set('*.place', '--sample', '1', '--for', '1h').code).toBe(0)
    await until(() => scene.recorded('Thread.place').calls > 10 && scene.recorded('Orders.place').calls > 10)
    victim.child.stdin.write('late\n')
    await until(() => scene.recorded('Late.place').calls > 10)
    expect(scene.recorded('Late.refund').calls).toBe(0)

    victim.child.stdin.write('block\n')
    expect(scene.set('*.refund', '--sample', '1', '--for', '1h').code).toBe(0)
    for (const name of ['Orders', 'Thread', 'Late'])
      await until(() => scene.recorded(`${name}.refund`).calls > 10)
    expect(scene.incidents().map(({ until: end }) => end)).toEqual([null, null])
    await scene.end(victim)
  })

  it('rows that mean nothing are left alone, with one incident', { timeout: 120_000 }, async () => {
    const victim = scene.tuned()
    await scene.starts(victim)
    const db = new (loadDriver())(scene.store, { timeout: 10_000 })
    try {
      const nowUs = Date.now() * 1_000
      const insert = db.prepare(
        `INSERT INTO tunings (pattern, options, process, created_us, expires_us, created_by) VALUES (?, ?, ?, ?, ?, 'x')`,
      )
      db.exec('BEGIN IMMEDIATE')
      const hour = 3_600_000_000
      insert.run('Orders.*', '{"sample":1', null, nowUs, nowUs + hour)
      insert.run('Orders.*', '{"sample":7}', null, nowUs, nowUs + hour)
      insert.run('Orders.*', '{"__proto__":{"sample":1}}', null, nowUs, nowUs + hour)
      insert.run('Orders.*', '{"redact":[0]}', null, nowUs, nowUs + hour)
      insert.run('Orders.*', 'null', null, nowUs, nowUs + hour)
      insert.run('*'.repeat(100_000), '{"sample":1}', null, nowUs, nowUs + hour)
      insert.run('', '{"sample":1}', null, nowUs, nowUs + hour)
      insert.run('Orders.*', `{"sample":1${' '.repeat(1_000_000)}}`, null, nowUs, nowUs + hour)
      insert.run('Orders.*', '{"sample":1}', 'nobody', nowUs, nowUs + hour)
      insert.run('Orders.*', '{"sample":1}', null, nowUs, -5)
      insert.run('Orders.*', '{"sample":1}', null, nowUs + hour, nowUs + hour)
      insert.run('Orders.*', '{"sample":1}', null, nowUs - 2 * hour, nowUs - hour)
      db.exec('COMMIT')
    } finally {
      db.close()
    }
    // One that is good, after them: when it holds, the others were looked at.
    expect(scene.set('*.refund', '--sample', '1').code).toBe(0)
    await until(() => scene.recorded('Orders.refund').calls > 10)
    await until(() => scene.incidents('tuning_refused').length > 0)
    expect(scene.recorded('Orders.place').calls).toBe(0)
    expect(scene.incidents('tuning_refused').map(row => row.detail)).toEqual([
      expect.stringMatching(/^#1: Callsight: the options of a change must be a JSON text \(and 7 more\)$/),
    ])
    expect(scene.incidents()).toHaveLength(1)
    const listed = scene.set('--list')
    expect(listed.code).toBe(0)
    expect(listed.out).toContain('(unreadable)')
    await scene.end(victim)
  })
})

describe('what is not allowed is refused in one line, with 2', () => {
  const canBeNobody = process.getuid?.() === 0 && command([...NOBODY, 'true']).code === 0

  it.skipIf(!canBeNobody)('a store that may be read and not written', { timeout: 60_000 }, async () => {
    const victim = scene.tuned()
    await scene.starts(victim)
    await scene.end(victim)
    const folder = dirname(scene.store)
    chmodSync(scene.folder, 0o755)
    chmodSync(folder, 0o755)
    chmodSync(scene.store, 0o644)
    const before = scene.rows('SELECT count(*) AS n FROM tunings')
    for (const mode of [0o755, 0o777]) {
      chmodSync(folder, mode)
      const args = ['set', '*', '--sample', '1', '--db', scene.store]
      const refused = command([...NOBODY, process.execPath, CLI, ...args])
      expect(refused).toMatchObject({ code: 2, out: '' })
      expect(refused.err).toMatch(/^callsight: .* may not be written by this user .*\n$/)
    }
    expect(scene.rows('SELECT count(*) AS n FROM tunings')).toEqual(before)
  })

  it('wrong words, and a file that is none of ours', { timeout: 120_000 }, async () => {
    const victim = scene.tuned()
    await scene.starts(victim)
    await scene.end(victim)
    for (const [args, said] of [
      [[], /Name the functions/],
      [['Orders.*'], /Say what to change/],
      [['Orders.*', '--sample', '2'], /option "sample" must be a number from 0 to 1/],
      [['Orders.*', '--sample', 'all'], /Use a number from 0 to 1/],
      [['Orders.*', '--args', 'some'], /Allowed choices are full, types, off/],
      [['Orders.*', '--slow', 'soon'], /option "slow" must be/],
      [['Orders.*', '--sample', '1', '--for', '7h'], /--for 7h is too long/],
      [['Orders.*', '--sample', '1', '--for', '0'], /option "for" must be/],
      [['x'.repeat(300), '--sample', '1'], /a pattern must be/],
      [['*', '--max-per-second', '-1'], /Use a whole number/],
    ] as const) {
      const refused = scene.set(...args)
      expect(refused, args.join(' ')).toMatchObject({ code: 2, out: '' })
      expect(refused.err).toMatch(said)
      expect(refused.err.trimEnd().split('\n')).toHaveLength(1)
    }
    const foreign = `${scene.folder}/foreign.db`
    const db = new (loadDriver())(foreign)
    db.exec('CREATE TABLE tunings(pattern, options)')
    db.close()
    const refused = command([process.execPath, CLI, 'set', '*', '--sample', '1', '--db', foreign])
    expect(refused).toMatchObject({ code: 2, out: '' })
    expect(refused.err).toContain('is a SQLite database of another program')
    expect(scene.set('--list').out).toBe('Nothing was changed.\n')
    const full = scene.set('*', '--slow', 'off', '--max-per-second', 'off', '--result', 'off', '--json')
    const options = { maxPerSecond: null, slow: false, capture: { result: false } }
    const { rows } = JSON.parse(full.out)
    expect(rows).toMatchObject([{ id: 1, running: 0 }])
    expect(rows[0].options).toEqual(options)
    const [listed] = JSON.parse(scene.set('--list', '--json').out).rows
    expect(JSON.parse(listed.options)).toEqual(options)
    expect(scene.set('--list').out).toContain('max per second off, slow off, result off')
  })
})
