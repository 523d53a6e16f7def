import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { OPEN_STACK_CALLS, PENDING_SLOTS } from '../../lib/queue/layout.js'
import { NEWEST_PENDING, OLDEST_PENDING } from '../../lib/writer/open-calls.js'
import { seededRandom } from '../sampling/seeded.js'
import { FlightScene } from '../support/flight-scene.js'
import { SEED } from '../support/seed.js'
import { expectErrorsKept } from './harness.js'

const LISTED_PENDING = OLDEST_PENDING + NEWEST_PENDING

let scene: FlightScene
beforeEach(() => {
  scene = new FlightScene()
})
afterEach(() => scene.dispose())

interface OpenRow {
  readonly name: string
  readonly args: string | null
  readonly depth: number | null
}
interface LookRow {
  readonly ring: number
  readonly open: number
  readonly listed: number
}
const OPEN = `SELECT f.name AS name, args, depth FROM in_flight JOIN functions f USING (function_id) ORDER BY call`
const LOOKS = 'SELECT ring, open, listed FROM in_flight_looks ORDER BY ring'

/** What the program has open when it says `ready`. */
const EXPECTED: readonly OpenRow[] = [
  { name: 'fetchRow', args: '[1]', depth: null },
  { name: 'fetchRow', args: '[2]', depth: null },
  { name: 'fetchRow', args: '[3]', depth: null },
  { name: 'pages', args: '[10]', depth: null },
  { name: 'query', args: '["orders"]', depth: null },
  { name: 'first', args: '["abcd"]', depth: 0 },
  { name: 'second', args: '[4]', depth: 1 },
  { name: 'third', args: '[{"id":4,"password":"[redacted]"}]', depth: 2 },
]
const complete = (rows: readonly OpenRow[]): boolean => rows.length === EXPECTED.length

async function die(victim: ReturnType<FlightScene['program']>): Promise<void> {
  victim.child.kill('SIGKILL')
  await victim.ended
}

describe('row 3: SIGKILL at random moments: the file alone says what was under way', () => {
  it('three calls inside each other, promises, a generator and a thenable, with their arguments', async () => {
    const victim = scene.program('in-flight', ['open'])
    await victim.says('ready')
    await scene.until<OpenRow>(OPEN, complete)
    await die(victim)
    expect(scene.rows(OPEN)).toEqual(EXPECTED)
    expect(scene.rows(LOOKS)).toEqual([{ ring: 0, open: EXPECTED.length, listed: EXPECTED.length }])
    const times = scene.rows<{ timed: number; ok: number }>(
      `SELECT timed, begun_us >= p.started_us AND begun_us <= looked_us AS ok
       FROM (SELECT process_id, ring, started_us AS begun_us, timed FROM in_flight)
       JOIN in_flight_looks USING (process_id, ring)
       JOIN (SELECT process_id, started_us FROM processes) p USING (process_id)`,
    )
    expect(times).toEqual(EXPECTED.map(() => ({ timed: 1, ok: 1 })))
    const [nested] = scene.rows<{ chain: number; roots: number }>(
      `SELECT count(*) AS chain, count(DISTINCT i.trace) AS roots
       FROM in_flight i JOIN in_flight o ON o.call = i.parent AND o.depth = i.depth - 1`,
    )
    expect(nested).toEqual({ chain: 2, roots: 1 })
    // The next start settles the account of the dead process, and leaves what it says of its last moments.
    expectErrorsKept(scene, await scene.recover())
    expect(scene.rows(OPEN)).toEqual(EXPECTED)
  })

  it('the same in a worker thread, while the main thread does nothing', async () => {
    const victim = scene.program('in-flight', ['in worker'])
    await victim.says('ready')
    await scene.until<OpenRow>(OPEN, complete)
    await die(victim)
    expect(scene.rows(OPEN)).toEqual(EXPECTED)
    const looks = scene.rows<LookRow>(LOOKS).filter(({ ring }) => ring !== 0)
    expect(looks).toEqual([{ ring: 1, open: EXPECTED.length, listed: EXPECTED.length }])
  })

  it('10,000 promises are counted, the oldest and the newest listed; when all have settled, none is', async () => {
    const victim = scene.program('in-flight', ['many'])
    await victim.says('ready')
    // The rows of a burst are written over several looks.
    await scene.until<LookRow>(LOOKS, ([look]) => look?.open === 10_000 && look.listed === LISTED_PENDING)
    expect(10_000).toBeGreaterThan(PENDING_SLOTS)
    expect(scene.rows(LOOKS)).toEqual([{ ring: 0, open: 10_000, listed: LISTED_PENDING }])
    const listed = scene.rows<OpenRow>(OPEN).map(({ args }) => Number(/^\[(\d+),/.exec(args ?? '')?.[1]))
    // The last ones found no slot.
    const newest = PENDING_SLOTS - NEWEST_PENDING
    expect(listed).toEqual([
      ...Array.from({ length: OLDEST_PENDING }, (_, n) => n),
      ...Array.from({ length: NEWEST_PENDING }, (_, n) => newest + n),
    ])
    victim.child.stdin.write('go\n')
    await victim.says('settled')
    await scene.until<OpenRow>(OPEN, rows => rows.length === 1)
    await die(victim)
    expect(scene.rows(OPEN)).toEqual([{ name: 'fetchRow', args: '[77]', depth: null }])
    expect(scene.rows(LOOKS)).toEqual([{ ring: 0, open: 1, listed: 1 }])
  })

  it('a recursion deeper than what is shared is counted; what runs after it is listed again', async () => {
    const levels = OPEN_STACK_CALLS + 4_000
    const victim = scene.program('in-flight', ['deep', `${levels}`], ['--stack-size=7000'])
    await victim.says('ready')
    await scene.until<LookRow>(LOOKS, ([look]) => look?.open === levels + 1)
    expect(scene.rows(LOOKS)).toEqual([{ ring: 0, open: levels + 1, listed: 0 }])
    await scene.until<OpenRow>(OPEN, rows => rows.length === 3)
    await die(victim)
    expect(scene.rows(OPEN)).toEqual(EXPECTED.slice(-3))
    expect(scene.rows(LOOKS)).toEqual([{ ring: 0, open: 3, listed: 3 }])
  })

  it('promises that were forgotten do not hide those that come after them', async () => {
    const victim = scene.program('in-flight', ['forgotten'], ['--expose-gc'])
    await victim.says('ready')
    await scene.until<OpenRow>(OPEN, rows => rows.some(({ args }) => args === '[77]'))
    await die(victim)
  })

  it('a generator that was forgotten is open no more once it is collected', async () => {
    const victim = scene.program('in-flight', ['collected'], ['--expose-gc'])
    await victim.says('ready')
    await scene.until<OpenRow>(OPEN, rows => rows.length === 101)
    victim.child.stdin.write('go\n')
    await victim.says('collected')
    await scene.until<OpenRow>(OPEN, rows => rows.length === 1)
    await die(victim)
    expect(scene.rows(OPEN)).toEqual([{ name: 'fetchRow', args: '[5]', depth: null }])
    expect(scene.rows(LOOKS)).toEqual([{ ring: 0, open: 1, listed: 1 }])
  })
})

describe('row 3: SIGKILL at random moments: no call is said to have died in flight of which there is a record', () => {
  // Each life is checked against all rows before it: the work grows with the square of their number.
  const kills = Math.min(30, Number(process.env['CALLSIGHT_KILLS'] ?? 6))
  const random = seededRandom(SEED)
  const RECORDED = `SELECT call_id, function FROM died_in_flight WHERE call_id IN (SELECT call_id FROM recent_calls)`
  const CONTRADICTIONS = `SELECT i.process_id, i.call FROM in_flight i
    WHERE EXISTS (SELECT 1 FROM calls r WHERE r.process_id = i.process_id AND r.call = i.call)
       OR EXISTS (SELECT 1 FROM errors r WHERE r.process_id = i.process_id AND r.call = i.call)`
  const visitsOf = (pid: number | undefined): string => `SELECT call FROM in_flight
    JOIN functions f USING (function_id) JOIN processes p USING (process_id) WHERE f.name = 'visit' AND p.pid = ${pid}`
  const MISCOUNTED = `SELECT l.process_id, l.listed FROM in_flight_looks l WHERE l.open < l.listed OR l.listed <>
    (SELECT count(*) FROM in_flight i WHERE i.process_id = l.process_id AND i.ring = l.ring)`

  it(`${kills} kills under load, half of the calls fail`, async () => {
    for (let kill = 0; kill < kills; kill++) {
      const victim = scene.program('in-flight', ['load', `${kill * 1e5}`])
      // From its first look on the writer sees these calls, however late that is on a busy machine.
      await scene.until(visitsOf(victim.child.pid), visits => visits.length > 10)
      await new Promise(resolve => setTimeout(resolve, random() * 250))
      await die(victim)
      expect(scene.rows(CONTRADICTIONS), 'in the file of the dead').toEqual([])
      expect(scene.rows(MISCOUNTED)).toEqual([])
    }
    // The journals tell of errors that the dead had no time to store.
    expectErrorsKept(scene, await scene.recover())
    expect(scene.rows(CONTRADICTIONS), 'in the file of the next start').toEqual([])
    expect(scene.rows(RECORDED)).toEqual([])
    expect(scene.rows(MISCOUNTED)).toEqual([])
    const died = scene.rows<{ processes: number }>(
      "SELECT count(DISTINCT process) AS processes FROM died_in_flight WHERE function = 'visit'",
    )
    expect(died).toEqual([{ processes: kills }])
  }, 900_000)
})

describe('calls that are open at other ends', () => {
  it('process.exit inside of calls: they stay listed, those that wait too', async () => {
    const ended = await scene.program('in-flight', ['exit']).ended
    expect(ended).toMatchObject({ code: 3, stderr: '' })
    expect(scene.rows(OPEN)).toEqual(EXPECTED)
    expect(scene.rows('SELECT ending FROM processes')).toEqual([{ ending: 'clean' }])
  })

  it('a worker that is terminated leaves what it had open, after the process has ended well', async () => {
    const ended = await scene.program('in-flight', ['worker ends']).ended
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    expect(scene.rows(OPEN)).toEqual(EXPECTED)
    expect(scene.rows('SELECT ending FROM processes')).toEqual([{ ending: 'clean' }])
  })

  it('nothing is listed when all have ended, and the file says so', async () => {
    const ended = await scene.program('in-flight', ['all end']).ended
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    expect(scene.rows(OPEN)).toEqual([])
    expect(scene.rows(LOOKS)).toEqual([{ ring: 0, open: 0, listed: 0 }])
  })

  it('row 6: a writer that is started again lists each once, and remembers when it saw one without a clock', async () => {
    const victim = scene.program('in-flight', ['restart'])
    await victim.says('ready')
    const all = 'SELECT call, started_us, timed, depth FROM in_flight ORDER BY call'
    const before = await scene.until<{ timed: number }>(all, rows => rows.length === 2)
    expect(before.map(({ timed }) => timed)).toEqual([0, 1])
    victim.child.stdin.write('go\n')
    await victim.says('restarted')
    await die(victim)
    expect(scene.rows(all)).toEqual(before)
  })
})
