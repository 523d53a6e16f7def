import { ConfigError, continueTrace, flush, health, monitor, shutdown, traceparent } from 'callsight'
import { afterAll, describe, expect, it } from 'vitest'
import { RemoteTraces } from '../../lib/monitor/remote-traces.js'
import { Place } from './fixtures.js'

const place = new Place()
process.env['CALLSIGHT_DB'] = place.store
afterAll(async () => {
  await shutdown()
  place.dispose()
})

interface Row {
  readonly function: string
  readonly outcome: string
  readonly trace_id: string
  readonly parent_id: string | null
  readonly call_id: string
}

async function rowsLike(pattern: string): Promise<Row[]> {
  await flush()
  return place.rows<Row>(
    'SELECT function, outcome, trace_id, parent_id, call_id FROM recent_calls WHERE function GLOB ? ORDER BY call_id',
    pattern,
  )
}

const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
const REMOTE_TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const REMOTE_PARENT = '00f067aa0ba902b7'
const REMOTE = `00-${REMOTE_TRACE}-${REMOTE_PARENT}-01`

describe('outgoing', () => {
  it('names the running call and its trace, as the store shows them', async () => {
    const headers: (string | null)[] = []
    const inner = monitor(() => headers.push(traceparent()), { name: 'out.inner' })
    const outer = monitor(
      async () => {
        headers.push(traceparent())
        await pause(1)
        headers.push(traceparent())
        inner()
      },
      { name: 'out.outer' },
    )
    await outer()
    const [root, below] = await rowsLike('out.*')
    expect(headers).toEqual([
      `00-${root?.trace_id}-${root?.call_id}-01`,
      `00-${root?.trace_id}-${root?.call_id}-01`,
      `00-${root?.trace_id}-${below?.call_id}-01`,
    ])
    expect(headers[0]).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
  })

  it('is null where no monitored call runs', () => {
    expect(traceparent()).toBeNull()
  })
})

describe('incoming', () => {
  it('calls hang below the remote caller, across await, timers and promises', async () => {
    const leaf = monitor(() => 1, { name: 'in.leaf' })
    const handle = monitor(
      async () => {
        leaf()
        await pause(1)
        await Promise.all([leaf(), pause(1).then(leaf)])
      },
      { name: 'in.handle' },
    )
    await continueTrace(REMOTE, handle)
    const [root, ...leaves] = await rowsLike('in.*')
    expect(root).toMatchObject({ function: 'in.handle', trace_id: REMOTE_TRACE, parent_id: REMOTE_PARENT })
    expect(leaves).toHaveLength(3)
    for (const row of leaves) {
      expect(row).toMatchObject({ trace_id: REMOTE_TRACE, parent_id: root?.call_id })
    }
  })

  it('errors, unsampled calls brought by them, and calls above the rate carry the remote ids too', async () => {
    const quiet = monitor(() => 1, { name: 'inx.quiet', sample: 0 })
    const fail = monitor(
      (): never => {
        quiet()
        throw new Error('remote')
      },
      { name: 'inx.fail', sample: 0 },
    )
    expect(() => continueTrace(REMOTE, fail)).toThrow('remote')
    const rows = await rowsLike('inx.*')
    expect(rows.map(row => row.function)).toEqual(['inx.fail', 'inx.quiet'])
    for (const row of rows) expect(row.trace_id).toBe(REMOTE_TRACE)
  })

  it('is passed on by a program that monitors nothing on the way, and names the call where one runs', () => {
    const seen = continueTrace(REMOTE, () => {
      const here = traceparent()
      return [here, monitor(() => traceparent(), { name: 'pass' })()]
    })
    expect(seen[0]).toBe(REMOTE)
    expect(seen[1]).toMatch(new RegExp(`^00-${REMOTE_TRACE}-(?!${REMOTE_PARENT})[0-9a-f]{16}-01$`))
  })

  it('the header of another call of this process continues that call', async () => {
    let header: string | null = null
    const sender = monitor(() => (header = traceparent()), { name: 'local.sender' })
    sender()
    const receiver = monitor(() => 1, { name: 'local.receiver' })
    await pause(1)
    continueTrace(header, receiver)
    const [sent, received] = await rowsLike('local.*')
    expect(received).toMatchObject({ trace_id: sent?.trace_id, parent_id: sent?.call_id })
  })

  it('two requests at once do not mix', async () => {
    const step = monitor(async () => pause(2), { name: 'two.step' })
    const ids = ['1', '2', '3'].map(digit => digit.repeat(32))
    await Promise.all(
      ids.map(id =>
        continueTrace(`00-${id}-${REMOTE_PARENT}-00`, async () => {
          await step()
          await step()
        }),
      ),
    )
    const rows = await rowsLike('two.step')
    expect(rows.map(row => row.trace_id).sort()).toEqual(ids.flatMap(id => [id, id]))
    expect(new Set(rows.map(row => row.parent_id))).toEqual(new Set([REMOTE_PARENT]))
  })

  it.each([
    undefined,
    null,
    7,
    '',
    'garbage',
    `ff-${REMOTE_TRACE}-${REMOTE_PARENT}-01`,
    `00-${'0'.repeat(32)}-${REMOTE_PARENT}-01`,
    `00-${REMOTE_TRACE}-${'0'.repeat(16)}-01`,
    `00-${REMOTE_TRACE.toUpperCase()}-${REMOTE_PARENT}-01`,
    `00-${REMOTE_TRACE}-${REMOTE_PARENT}-01-more`,
    `00-${REMOTE_TRACE}-${REMOTE_PARENT}`,
    REMOTE.repeat(1_000),
    ['00'],
  ])('a header that is none (%j) runs the function in the context it is called in', header => {
    const before = monitor(() => traceparent(), { name: 'bad.outer' })
    expect(continueTrace(header, () => 5)).toBe(5)
    expect(continueTrace(header, () => traceparent())).toBeNull()
    const seen = monitor(() => [traceparent(), continueTrace(header, () => traceparent())], {
      name: 'bad.inner',
    })()
    expect(seen[0]).toBe(seen[1])
    expect(before()).not.toBeNull()
  })

  it('a later version with more fields is understood', () => {
    expect(continueTrace(`cc-${REMOTE_TRACE}-${REMOTE_PARENT}-01-what-comes`, () => traceparent())).toBe(
      REMOTE,
    )
  })

  it('says what is missing when there is no function to run', () => {
    expect(() => continueTrace(REMOTE, undefined as never)).toThrow(ConfigError)
    expect(() => continueTrace(REMOTE, undefined as never)).toThrow(/second argument/)
  })

  it('what the function throws arrives, and the context before is back', () => {
    expect(() =>
      continueTrace(REMOTE, () => {
        throw new RangeError('mine')
      }),
    ).toThrow(new RangeError('mine'))
    expect(traceparent()).toBeNull()
  })
})

describe('the memory of remote traces', () => {
  it('holds the last 4,096, and never gives the ids of another one', () => {
    const traces = new RemoteTraces()
    const numbers = Array.from({ length: 5_000 }, (_, n) =>
      traces.add(7 * 2 ** 32 + 16 * n, n.toString(16).padStart(32, '0'), REMOTE_PARENT),
    )
    expect(numbers.every(number => number < 0)).toBe(true)
    expect(new Set(numbers).size).toBe(5_000)
    numbers.forEach((number, n) => {
      const ids = traces.ids(number)
      if (n < 5_000 - 4_096) expect(ids).toBeNull()
      else
        expect(Buffer.from(ids ?? []).toString('hex')).toBe(n.toString(16).padStart(32, '0') + REMOTE_PARENT)
    })
    expect(traces.ids(-3)).toBeNull()
  })
})

it('afterwards the recorder is well', async () => {
  expect((await flush()).balanced).toBe(true)
  expect(health().state).toBe('recording')
})
