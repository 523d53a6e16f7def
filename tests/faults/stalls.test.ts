import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MAX_CALLS } from '../../lib/writer/stall.js'
import { FlightScene } from '../support/flight-scene.js'

let scene: FlightScene
beforeEach(() => {
  scene = new FlightScene()
})
afterEach(() => scene.dispose())

interface StallRow {
  readonly looks: number
  readonly on_cpu: number | null
  readonly ended: number
  readonly ms: number
}
interface BlamedRow {
  readonly name: string
  readonly depth: number
  readonly args: string | null
  readonly inner: number
}
// On a machine that is too busy for the writer as well, a stall falls into pieces: the last one is looked at.
const STALLS = `SELECT looks, on_cpu, ended_us IS NOT NULL AS ended, (seen_us - started_us) / 1000 AS ms FROM stalls
  ORDER BY stall_id DESC`
const BLAMED = `SELECT f.name AS name, depth, args, c.looks > 0 AND inner_looks = c.looks AS inner
  FROM stall_calls c JOIN functions f USING (function_id)
  WHERE stall_id = (SELECT max(stall_id) FROM stalls) ORDER BY depth`
const stuck = (rows: readonly StallRow[]): boolean => (rows[0]?.looks ?? 0) >= 2

const knowsThreads = existsSync('/proc/self/task')

/** What keeps the program busy ends. */
const enough = (): void => writeFileSync(join(scene.folder, 'enough'), '')

describe('a loop that is stuck', () => {
  it('is recorded while it is stuck, with the calls on its stack and the innermost to blame', async () => {
    const victim = scene.program('stalls', ['spin', '60000'])
    await victim.says('stuck')
    const [seen] = await scene.until<StallRow>(STALLS, stuck)
    expect(victim.output, 'it is stuck still').toBe('stuck\n')
    expect(seen).toMatchObject({ ended: 0 })
    expect(seen!.ms).toBeGreaterThan(500)
    if (knowsThreads) expect(seen!.on_cpu).toBe(seen!.looks)
    expect(scene.rows(BLAMED)).toEqual([
      { name: 'handle', depth: 0, args: '[{"path":"/report","token":"[redacted]"}]', inner: 0 },
      { name: 'spin', depth: 1, args: '[60000]', inner: 1 },
    ])
    enough()
    const ended = await victim.ended
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    const rows = scene.rows<StallRow>(STALLS)
    expect(rows.filter(row => row.ended === 0)).toEqual([])
    const stalls = JSON.parse(ended.stdout.split('\n')[1] ?? '') as Record<string, number>
    expect(stalls).toMatchObject({ count: rows.length, currentMs: 0 })
    expect(stalls['totalMs']).toBeGreaterThan(seen!.ms)
  })

  it('row 5: main thread blocked for ever, then killed: the stall stays open in the file', async () => {
    const victim = scene.program('stalls', ['spin', '1e9'])
    await victim.says('stuck')
    await scene.until<StallRow>(STALLS, stuck)
    victim.child.kill('SIGKILL')
    await victim.ended
    expect(scene.rows<StallRow>(STALLS)[0]).toMatchObject({ ended: 0 })
    expect(scene.rows<BlamedRow>(BLAMED).map(({ name }) => name)).toEqual(['handle', 'spin'])
  })

  it('is told from one that waits: that is on no processor', async () => {
    const victim = scene.program('stalls', ['hold', '60000'])
    const [seen] = await scene.until<StallRow>(STALLS, stuck)
    expect(seen!.on_cpu).toBe(knowsThreads ? 0 : null)
    expect(scene.rows<BlamedRow>(BLAMED).map(({ name }) => name)).toEqual(['handle', 'hold'])
    victim.child.kill('SIGKILL')
    expect((await victim.ended).stderr).toBe('')
  })

  it('keeps a bounded number of the calls that came and went, and always those that stayed', async () => {
    interface Kept {
      readonly stall: number
      readonly looks: number
      readonly calls: number
      readonly churn: number
    }
    const kept = `SELECT stall_id AS stall, s.looks AS looks, count(*) AS calls,
        sum(iif(f.name = 'churn', c.looks, 0)) AS churn
      FROM stalls s JOIN stall_calls c USING (stall_id) JOIN functions f USING (function_id)
      GROUP BY stall_id ORDER BY stall_id`
    const victim = scene.program('stalls', ['churn', '1e9', '300'])
    // Each further call that is kept takes the place of another one.
    const full = new Map<number, Kept>()
    const rows = await scene.until<Kept>(kept, found => {
      const now = found.at(-1)
      if (now === undefined || now.calls < MAX_CALLS) return false
      const before = full.get(now.stall) ?? now
      full.set(now.stall, before)
      return now.looks >= before.looks + MAX_CALLS / 2
    })
    expect(victim.output, 'it is stuck still').toBe('stuck\n')
    const now = rows.at(-1)!
    const before = full.get(now.stall)!
    // It goes on, so every look in between has found it; looks before it began did not.
    expect(now.churn - before.churn).toBe(now.looks - before.looks)
    enough()
    expect(await victim.ended).toMatchObject({ code: 0, stderr: '' })
    for (const { calls } of scene.rows<Kept>(kept)) expect(calls).toBeLessThanOrEqual(MAX_CALLS)
  })

  it('in a process that is ended in the middle of it: the file has the stall', async () => {
    const ended = await scene.program('stalls', ['exit', '2000']).ended
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    expect(scene.rows<StallRow>(STALLS)).not.toEqual([])
  })

  it('is not watched when that is turned off, nor shorter than the threshold', async () => {
    expect((await scene.program('stalls', ['spin', '1500', 'false']).ended).stderr).toBe('')
    expect((await scene.program('stalls', ['spin', '1500', '60000']).ended).stderr).toBe('')
    expect(scene.rows(STALLS)).toEqual([])
  })
})

describe('time in which the process did not run', () => {
  it('is nobody’s fault: SIGSTOP and SIGCONT leave no stall', async () => {
    const victim = scene.program('stalls', ['stopped'])
    await victim.says('idle')
    for (let stops = 0; stops < 2; stops++) {
      victim.child.kill('SIGSTOP')
      await new Promise(resolve => setTimeout(resolve, 2_000))
      victim.child.kill('SIGCONT')
      await new Promise(resolve => setTimeout(resolve, 600))
    }
    victim.child.kill('SIGTERM')
    await victim.ended
    expect(scene.rows('SELECT pid FROM processes')).toHaveLength(1)
    expect(scene.rows(STALLS)).toEqual([])
  })
})
