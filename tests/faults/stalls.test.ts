import { existsSync } from 'node:fs'
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
const STALLS = `SELECT looks, on_cpu, ended_us IS NOT NULL AS ended, (seen_us - started_us) / 1000 AS ms FROM stalls`
const BLAMED = `SELECT f.name AS name, depth, args, c.looks > 0 AND inner_looks = c.looks AS inner
  FROM stall_calls c JOIN functions f USING (function_id) ORDER BY stall_id, depth`
const stuck = (rows: readonly StallRow[]): boolean => (rows[0]?.looks ?? 0) >= 2

const knowsThreads = existsSync('/proc/self/task')

describe('a loop that is stuck', () => {
  it('is recorded while it is stuck, with the calls on its stack and the innermost to blame', async () => {
    const victim = scene.program('stalls', ['spin', '4000'])
    await victim.says('stuck')
    const [seen] = await scene.until<StallRow>(STALLS, stuck)
    expect(victim.output, 'it is stuck still').toBe('stuck\n')
    expect(seen).toMatchObject({ ended: 0 })
    expect(seen!.ms).toBeGreaterThan(500)
    expect(scene.rows(BLAMED)).toEqual([
      { name: 'handle', depth: 0, args: '[{"path":"/report","token":"[redacted]"}]', inner: 0 },
      { name: 'spin', depth: 1, args: '[4000]', inner: 1 },
    ])
    const ended = await victim.ended
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    const [stall, ...others] = scene.rows<StallRow>(STALLS)
    expect(others).toEqual([])
    expect(stall).toMatchObject({ ended: 1 })
    if (knowsThreads) expect(stall!.on_cpu).toBe(stall!.looks)
    const stalls = JSON.parse(ended.stdout.split('\n')[1] ?? '') as Record<string, number>
    expect(stalls).toMatchObject({ count: 1, currentMs: 0 })
    expect(stalls['totalMs']).toBeGreaterThan(seen!.ms)
  })

  it('row 5: main thread blocked for ever, then killed: the stall stays open in the file', async () => {
    const victim = scene.program('stalls', ['spin', '1e9'])
    await victim.says('stuck')
    await scene.until<StallRow>(STALLS, stuck)
    victim.child.kill('SIGKILL')
    await victim.ended
    expect(scene.rows<StallRow>(STALLS)).toMatchObject([{ ended: 0 }])
    expect(scene.rows<BlamedRow>(BLAMED).map(({ name }) => name)).toEqual(['handle', 'spin'])
  })

  it('is told from one that waits: that is on no processor', async () => {
    const ended = await scene.program('stalls', ['hold', '2500']).ended
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    const [stall] = scene.rows<StallRow>(STALLS)
    expect(stall!.looks).toBeGreaterThan(1)
    expect(stall!.on_cpu).toBe(knowsThreads ? 0 : null)
    expect(scene.rows<BlamedRow>(BLAMED).map(({ name }) => name)).toEqual(['handle', 'hold'])
  })

  it('keeps a bounded number of the calls that came and went, and always those that stayed', async () => {
    const victim = scene.program('stalls', ['churn', '9000', '100'])
    const ended = await victim.ended
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    const calls = scene.rows<{ name: string; looks: number; stall: number }>(
      `SELECT f.name AS name, looks, stall_id AS stall FROM stall_calls JOIN functions f USING (function_id)`,
    )
    const longest = Math.max(...scene.rows<StallRow>(STALLS).map(({ looks }) => looks))
    expect(longest).toBeGreaterThan(MAX_CALLS)
    expect(calls.filter(({ name }) => name === 'churn').map(({ looks }) => looks)).toContain(longest)
    for (const stall of new Set(calls.map(call => call.stall))) {
      expect(calls.filter(call => call.stall === stall).length).toBeLessThanOrEqual(MAX_CALLS)
    }
  })

  it('in a process that is ended in the middle of it: the file has the stall', async () => {
    const ended = await scene.program('stalls', ['exit', '2000']).ended
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    expect(scene.rows<StallRow>(STALLS)).toHaveLength(1)
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
