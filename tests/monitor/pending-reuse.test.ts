import { AsyncResource, createHook } from 'node:async_hooks'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { flush, health, monitor, shutdown } from 'callsight'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { live } from '../../dist/monitor/recording.js'
import { Place } from './fixtures.js'

const place = new Place()
process.env['CALLSIGHT_DB'] = place.store
afterAll(async () => {
  await shutdown()
  place.dispose()
})

interface Row {
  readonly call_id: string
  readonly parent_id: string | null
  readonly outcome: string
  readonly args: string
  readonly result: string | null
}
const rows = (name: string): Row[] =>
  place.rows(
    'SELECT call_id, parent_id, outcome, args, result FROM recent_calls WHERE function = ? ORDER BY call_id',
    name,
  )

/** Slots of pending calls that are taken now. */
function taken(): number {
  const { cells, used } = (live.recording as NonNullable<typeof live.recording>).producer.slots
  let count = 0
  for (let slot = 0; slot < (used[0] ?? 0); slot++) if (cells[slot * 8 + 1] !== 0) count++
  return count
}

interface Gate {
  readonly promise: Promise<unknown>
  resolve(value: unknown): void
  reject(reason: unknown): void
}
function gate(): Gate {
  let resolve: Gate['resolve'] = () => {}
  let reject: Gate['reject'] = () => {}
  const promise = new Promise((ok, no) => {
    resolve = ok
    reject = no
  })
  return { promise, resolve, reject }
}

/** 0, 7, 14, … through all of `count`, which 7 does not divide. */
const shuffled = (count: number): number[] => Array.from({ length: count }, (_, i) => (i * 7) % count)

describe('what ends a promise is used again', () => {
  it.each([
    ['of an async function', 'async'],
    ['that a plain function returned', 'plain'],
  ])(
    'each record has its own arguments and result, whatever the order of the ends: promises %s',
    async (_, kind) => {
      const name = `reuse.${kind}`
      const wait = (at: number, ended: Gate): Promise<unknown> => ended.promise.then(value => [at, value])
      const waitAsync = async (at: number, ended: Gate): Promise<unknown> => [at, await ended.promise]
      const call = monitor(kind === 'async' ? waitAsync : wait, { name, redact: [1] })
      const COUNT = 400
      for (let round = 0; round < 3; round++) {
        const gates = Array.from({ length: COUNT }, gate)
        const ends = gates.map((ended, at) => call(round * COUNT + at, ended))
        for (const at of shuffled(COUNT)) gates[at]?.resolve(`v${round}`)
        const values = await Promise.all(ends)
        expect(values).toEqual(gates.map((__, at) => [round * COUNT + at, `v${round}`]))
        expect(taken()).toBe(0)
        await flush()
      }
      const found = rows(name).map(({ args, result }) => [
        (JSON.parse(args) as unknown[])[0],
        JSON.parse(result ?? 'null') as unknown,
      ])
      expect(found).toEqual(
        Array.from({ length: 3 * COUNT }, (__, at) => [at, [at, `v${Math.floor(at / COUNT)}`]]),
      )
    },
  )

  it('fulfilled and rejected in turn: every caller gets its own, every reason is recorded once', async () => {
    const call = monitor(
      async function turn(at: number): Promise<number> {
        await null
        if (at % 2 === 1) throw new Error(`odd ${at}`)
        return at
      },
      { name: 'reuse.turn' },
    )
    for (let at = 0; at < 40; at++) {
      const end = call(at)
      if (at % 2 === 0) expect(await end).toBe(at)
      else await expect(end).rejects.toThrow(`odd ${at}`)
    }
    await flush()
    expect(
      place.rows("SELECT message FROM recent_errors WHERE function = 'reuse.turn' ORDER BY call_id"),
    ).toEqual(Array.from({ length: 20 }, (_, at) => ({ message: `odd ${2 * at + 1}` })))
    expect(rows('reuse.turn').filter(row => row.outcome === 'ok')).toHaveLength(20)
  })

  it('a thenable that calls its handlers again later, also the other one, ends nobody else', async () => {
    const kept: ((value: unknown) => unknown)[] = []
    const odd = monitor(
      () => ({
        // biome-ignore lint/suspicious/noThenProperty: what is tested
        then(fulfilled: (value: unknown) => unknown, rejected: (reason: unknown) => unknown): void {
          kept.push(fulfilled, value => {
            try {
              rejected(value)
            } catch {
              // It throws on what it was given.
            }
          })
          fulfilled(1)
          fulfilled(2)
        },
      }),
      { name: 'reuse.odd' },
    )
    const wait = monitor(async (ended: Gate) => await ended.promise, { name: 'reuse.waiting', redact: [0] })
    for (let round = 0; round < 10; round++) {
      expect(await (odd() as unknown as PromiseLike<unknown>)).toBe(1)
      const ended = gate()
      const end = wait(ended)
      for (const handler of kept) handler('late')
      expect(taken()).toBe(1)
      ended.resolve(round)
      expect(await end).toBe(round)
    }
    await flush()
    expect(rows('reuse.odd').map(row => [row.outcome, row.result])).toEqual(
      Array.from({ length: 10 }, () => ['ok', '1']),
    )
    expect(rows('reuse.waiting').map(row => row.result)).toEqual(
      Array.from({ length: 10 }, (_, at) => String(at)),
    )
  })

  it('keeps neither arguments nor result once the promise has settled', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const call = monitor(async (given: object) => ({ given }), { name: 'reuse.kept' })
    const refs: WeakRef<object>[] = []
    const run = async (): Promise<void> => {
      for (let at = 0; at < 20; at++) {
        const given = { at }
        refs.push(new WeakRef(given), new WeakRef(await call(given)))
      }
    }
    await run()
    for (let turn = 0; turn < 5; turn++) {
      await nextTurn()
      collect()
    }
    expect(refs.filter(ref => ref.deref() !== undefined)).toEqual([])
  })
})

describe('after a crowd of pending calls', () => {
  it('the next ones are not watched for being forgotten, whatever slots they get', async () => {
    const ended = gate()
    const wait = monitor(async () => await ended.promise, { name: 'crowd.wait', sample: 0 })
    const register = vi.spyOn(FinalizationRegistry.prototype, 'register')
    try {
      const crowd = Array.from({ length: 4_000 }, wait)
      expect(register).toHaveBeenCalledTimes(4_000 - 3_072)
      expect((live.recording as NonNullable<typeof live.recording>).producer.slots.taken).toBe(4_000)
      ended.resolve(1)
      await Promise.all(crowd)
      register.mockClear()
      for (let at = 0; at < 100; at++) await wait()
      expect(register).not.toHaveBeenCalled()
      expect((live.recording as NonNullable<typeof live.recording>).producer.slots.taken).toBe(0)
    } finally {
      register.mockRestore()
    }
  })
})

describe('what is made asynchronously while a call runs', () => {
  const leaf = monitor((at: string) => at, { name: 'made.leaf' })
  const parents = (): Record<string, string | null> =>
    Object.fromEntries(
      rows('made.leaf').map(row => [
        (JSON.parse(row.args) as string[])[0],
        row.parent_id === null
          ? null
          : ((
              place.rows('SELECT function FROM recent_calls WHERE call_id = ?', row.parent_id) as {
                function: string
              }[]
            )[0]?.function ?? '(not stored)'),
      ]),
    )

  it('belongs to that call; in the scope of a resource that is older, to whoever made the resource', async () => {
    const turns: Promise<unknown>[] = []
    const later = (at: string): void => {
      turns.push(nextTurn().then(() => leaf(at)))
    }
    let resource: AsyncResource | null = null
    monitor(
      () => {
        resource = new AsyncResource('test')
      },
      { name: 'made.owner' },
    )()
    const free = new AsyncResource('test')
    monitor(
      () => {
        later('before')
        resource?.runInAsyncScope(later, null, 'in scope')
        free.runInAsyncScope(later, null, 'in free scope')
        resource?.runInAsyncScope(monitor(() => later('in a call in scope'), { name: 'made.inner' }))
        later('after')
      },
      { name: 'made.runner' },
    )()
    later('outside')
    await Promise.all(turns)
    await flush()
    expect(parents()).toEqual({
      before: 'made.runner',
      'in scope': 'made.owner',
      'in free scope': null,
      'in a call in scope': 'made.inner',
      after: 'made.runner',
      outside: null,
    })
  })

  it('shows nothing of a call that has ended to the next one at its place', async () => {
    const turns: Promise<unknown>[] = []
    monitor(() => {}, { name: 'made.ended' })()
    // Not sampled, and has not returned a promise: it carries nothing.
    const plain = monitor(() => turns.push(nextTurn().then(() => leaf('in unsampled'))), {
      name: 'made.unsampled',
      sample: 0,
    })
    plain()
    await Promise.all(turns)
    await flush()
    expect(parents()['in unsampled']).toBe(null)
  })

  it('costs a synchronous recorded call no resource, and an async one what the function itself makes and one promise', async () => {
    const made: string[] = []
    const hook = createHook({ init: (_, type) => void made.push(type) })
    const sync = monitor(() => 1, { name: 'made.sync' })
    const async = monitor(async () => 1, { name: 'made.async' })
    sync()
    await async()
    hook.enable()
    sync()
    const end = async()
    const seen = [...made]
    hook.disable()
    await end
    expect(seen).toEqual(['PROMISE', 'PROMISE'])
  })
})

describe('after the recorder has stopped', () => {
  it('a promise that settles then gives its value, and is in the account as a call that began', async () => {
    const ended = [gate(), gate()]
    const wait = monitor(async (at: number) => await ended[at]?.promise, { name: 'reuse.stopped' })
    const [good, bad] = [wait(0), wait(1)]
    const account = await shutdown()
    expect(account.balanced).toBe(true)
    ended[0]?.resolve('late')
    ended[1]?.reject(new Error('late too'))
    expect(await good).toBe('late')
    await expect(bad).rejects.toThrow('late too')
    expect(await wait(0)).toBe('late')
    expect(health().state).not.toBe('failed')
  })
})
