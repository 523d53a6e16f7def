import { flush, health, monitor, shutdown } from 'callsight'
import { afterAll, describe, expect, it } from 'vitest'
import { Hindsight } from '../../lib/monitor/hindsight.js'
import { CELLS_PER_CALL, Cell } from '../../lib/monitor/running.js'
import { FrameFlag } from '../../lib/queue/layout.js'
import { Place } from './fixtures.js'

const place = new Place()
process.env['CALLSIGHT_DB'] = place.store
afterAll(async () => {
  await shutdown()
  place.dispose()
})

interface Row {
  readonly name: string
  readonly flags: number
  readonly weight: number
  readonly call: number
  readonly parent: number | null
  readonly trace: number
  readonly args: string | null
}

async function rowsLike(pattern: string): Promise<Row[]> {
  await flush()
  return place.rows<Row>(
    `SELECT f.name AS name, flags, weight, call, parent, trace, args FROM (
       SELECT function_id, flags, weight, call, parent, trace, args FROM calls
       UNION ALL SELECT function_id, flags, 1.0, call, parent, trace, args FROM errors
     ) JOIN functions f USING (function_id) WHERE f.name GLOB ? ORDER BY call`,
    pattern,
  )
}

const never = { sample: 0, slow: false } as const
const attempt = (body: () => unknown): void => {
  try {
    body()
  } catch {
    // What is asked is what the store says.
  }
}

describe('hindsight', () => {
  it('a failed call brings the unsampled calls of its trace with it: before it, and around it', async () => {
    const load = monitor((id: number) => id, { ...never, name: 'h1.load' })
    const price = monitor((id: number) => load(id), { ...never, name: 'h1.price' })
    const book = monitor(
      (id: number) => {
        if (id === 3) throw new Error('refused')
      },
      { ...never, name: 'h1.book' },
    )
    const order = monitor(
      (id: number) => {
        price(id)
        attempt(() => book(id))
        load(-id)
      },
      { ...never, name: 'h1.order' },
    )
    for (let id = 1; id <= 5; id++) order(id)
    const rows = await rowsLike('h1.*')
    expect(rows.map(({ name }) => name)).toEqual(['h1.order', 'h1.price', 'h1.load', 'h1.book'])
    const [root, below, deeper, failed] = rows
    expect(new Set(rows.map(({ trace }) => trace))).toEqual(new Set([root?.call]))
    expect([root?.parent, below?.parent, deeper?.parent, failed?.parent]).toEqual([
      null,
      root?.call,
      below?.call,
      root?.call,
    ])
    for (const row of rows.slice(0, 3)) {
      expect(row).toMatchObject({ flags: FrameFlag.hindsight, weight: 0, args: null })
    }
    expect(failed).toMatchObject({ args: '[3]' })
  })

  it('a slow call does so too', async () => {
    const quick = monitor(() => 1, { ...never, name: 'h2.quick' })
    const slow = monitor(
      () => {
        quick()
        const untilMs = performance.now() + 6
        while (performance.now() < untilMs);
      },
      { sample: 0, slow: '5ms', name: 'h2.slow' },
    )
    slow()
    const rows = await rowsLike('h2.*')
    expect(rows.map(({ name, flags }) => [name, flags & (FrameFlag.hindsight | FrameFlag.slow)])).toEqual([
      ['h2.slow', FrameFlag.slow],
      ['h2.quick', FrameFlag.hindsight],
    ])
  })

  it('across await, with calls that go on after they have returned', async () => {
    const step = monitor(async (n: number) => n, { ...never, name: 'h3.step' })
    const whole = monitor(
      async () => {
        await step(1)
        await Promise.all([step(2), step(3)])
        throw new Error('in the end')
      },
      { ...never, name: 'h3.whole' },
    )
    await expect(whole()).rejects.toThrow('in the end')
    const rows = await rowsLike('h3.*')
    expect(rows.map(({ name }) => name)).toEqual(['h3.whole', 'h3.step', 'h3.step', 'h3.step'])
    expect(rows.slice(1).map(({ flags }) => flags)).toEqual(
      Array.from({ length: 3 }, () => FrameFlag.hindsight | FrameFlag.async),
    )
  })

  it('nothing is promoted twice, and calls begun after the failure are not promoted', async () => {
    const step = monitor(() => 1, { ...never, name: 'h4.step' })
    const fail = monitor(
      (): never => {
        throw new Error('again')
      },
      { ...never, name: 'h4.fail' },
    )
    const root = monitor(
      () => {
        step()
        attempt(fail)
        attempt(fail)
        step()
      },
      { ...never, name: 'h4.root' },
    )
    root()
    const rows = await rowsLike('h4.*')
    expect(rows.map(({ name }) => name)).toEqual(['h4.root', 'h4.step', 'h4.fail', 'h4.fail'])
  })

  it('a trace that runs for ever brings its latest calls only', async () => {
    const step = monitor((n: number) => n, { ...never, name: 'h5.step' })
    const fail = monitor(
      (): never => {
        throw new Error('once')
      },
      { ...never, name: 'h5.fail' },
    )
    const loop = monitor(
      () => {
        for (let n = 0; n < 10_000; n++) step(n)
        attempt(fail)
      },
      { ...never, name: 'h5.loop' },
    )
    loop()
    const steps = (await rowsLike('h5.step')).map(({ call }) => call)
    const [failed] = await rowsLike('h5.fail')
    expect(steps).toEqual(Array.from({ length: 100 }, (_, n) => (failed?.call ?? 0) - 100 + n))
  })

  it('a failure in another trace brings nothing', async () => {
    const bystander = monitor(() => 1, { ...never, name: 'h6.bystander' })
    const fail = monitor(
      (): never => {
        throw new Error('alone')
      },
      { ...never, name: 'h6.fail' },
    )
    bystander()
    attempt(fail)
    expect((await rowsLike('h6.*')).map(({ name }) => name)).toEqual(['h6.fail'])
  })

  it('estimates from weights are not disturbed', async () => {
    const [sum] = place.rows<{ weight: number }>(
      `SELECT sum(weight) AS weight FROM calls WHERE flags & ${FrameFlag.hindsight}`,
    )
    expect(sum?.weight).toBe(0)
    const [stored] = place.rows<{ n: number }>(
      `SELECT count(*) AS n FROM calls WHERE flags & ${FrameFlag.hindsight}`,
    )
    expect(stored?.n).toBeGreaterThan(100)
    expect(health().hindsight).toEqual({ promoted: stored?.n, refused: 0 })
    expect((await flush()).balanced).toBe(true)
    expect(health().state).toBe('recording')
  })
})

describe('the memory of it', () => {
  const remember = (hindsight: Hindsight, call: number, trace: number): boolean => {
    const cells = new Float64Array(CELLS_PER_CALL)
    cells[Cell.CALL] = call
    cells[Cell.TRACE] = trace
    return hindsight.remember(cells, 0, 3, 1, 0)
  }
  const kept = (hindsight: Hindsight, trace: number, lastCall: number, nowMs = 0): number[] => {
    const calls: number[] = []
    hindsight.promote(trace, lastCall, nowMs, (_, facts) => calls.push(facts.call))
    return calls
  }

  it('holds the last 4,096 calls', () => {
    const hindsight = new Hindsight()
    for (let call = 2; call <= 5_000; call++) remember(hindsight, call, call % 100 === 0 ? 1 : 7)
    const calls = kept(hindsight, 1, 5_000)
    expect(calls).toEqual(Array.from({ length: 41 }, (_, n) => 5_000 - n * 100))
  })

  it('promotes 1,000 calls a second, and counts the others', () => {
    const hindsight = new Hindsight()
    let promoted = 0
    for (let trace = 1; trace <= 20 * 101; trace += 101) {
      for (let call = trace + 1; call <= trace + 100; call++) {
        remember(hindsight, call, trace)
      }
      promoted += kept(hindsight, trace, trace + 100, 500).length
    }
    expect(promoted).toBe(1_000)
    expect(hindsight).toMatchObject({ promoted: 1_000, refused: 10 })
    remember(hindsight, 9_001, 9_000)
    expect(kept(hindsight, 9_000, 9_001, 1_500)).toEqual([9_001])
  })

  it('finds the calls of a trace that another thread began', () => {
    const hindsight = new Hindsight()
    const theirs = 5 * 2 ** 32 + 10
    const ours = 2 ** 32
    remember(hindsight, ours + 1, theirs)
    remember(hindsight, ours + 2, ours + 2)
    expect(kept(hindsight, theirs, ours + 3)).toEqual([ours + 1])
  })

  it('a caller is promoted when it ends only if it ran when the failure happened', () => {
    const hindsight = new Hindsight()
    expect(kept(hindsight, 10, 12)).toEqual([])
    expect(remember(hindsight, 11, 10)).toBe(true)
    expect(remember(hindsight, 13, 10)).toBe(false)
    expect(remember(hindsight, 11, 266)).toBe(false)
  })
})
