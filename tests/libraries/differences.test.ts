/** Where a monitored function was found to differ from the bare one. What still differs is skipped. */
import { mock } from 'node:test'
import { promisify, types } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { tableFromArrays } from 'apache-arrow'
import { flush, monitor, shutdown } from 'callsight'
import createKnex from 'knex'
import PCancelable from 'p-cancelable'
import { type Observable, of } from 'rxjs'
import { afterAll, describe, expect, it } from 'vitest'
import { load, Place } from '../monitor/fixtures.js'

type Spied = typeof import('../fixtures/src/library-spied.js')

const place = new Place()
process.env['CALLSIGHT_DB'] = place.store
afterAll(async () => {
  await shutdown()
  place.dispose()
})

async function rowsOf(name: string): Promise<{ outcome: string; args: string; result: string | null }[]> {
  await flush()
  return place.rows('SELECT outcome, args, result FROM recent_calls WHERE function = ?', name)
}

describe('functions', () => {
  it('a method has no own property prototype', () => {
    const { method } = { method(): void {} }
    expect(Reflect.ownKeys(monitor(method))).toEqual(Reflect.ownKeys(method))
  })

  it('limitation: the wrapper of an async function is an ordinary one to Node, an async one by its tag', () => {
    const later = async (): Promise<void> => {}
    expect(types.isAsyncFunction(monitor(later))).toBe(false)
    expect(Object.prototype.toString.call(monitor(later))).toBe('[object AsyncFunction]')
    expect(Object.getPrototypeOf(monitor(later))).toBe(Object.getPrototypeOf(later))
    // Workaround: tell by what it returns.
    expect(monitor(later)()).toBeInstanceOf(Promise)
  })

  it('own properties that point back to the function point to the wrapper', async () => {
    const nap = Object.assign((_done: () => void): void => {}, { [promisify.custom]: async () => 'slept' })
    const custom = monitor(promisify(nap) as () => Promise<string>, { name: 'custom' })
    // Recorded only if the wrapper is what promisify finds.
    expect(promisify(custom as never)).toBe(custom)
  })

  it('limitation: an object of an old constructor names the bare function as its constructor', () => {
    const bare = function Old(this: object): void {}
    const Old = monitor(bare) as unknown as new () => object
    expect(new Old().constructor).toBe(bare)
    // Workaround: ask with instanceof.
    expect(new Old()).toBeInstanceOf(Old)
  })

  it('a function that is a Proxy keeps what its traps serve (mocks of node:test)', () => {
    const inner = mock.fn((n: number) => n + 1)
    const outer = monitor(inner, { name: 'outer' })
    outer(1)
    expect(outer.mock.callCount()).toBe(1)
  })
})

describe('classes', () => {
  it('a whole class has its methods and getters called name and length monitored', async () => {
    class Visitor {
      name(): string {
        return 'Ada'
      }
      get length(): number {
        return 3
      }
    }
    monitor()(Visitor)
    const visitor = new Visitor()
    expect([visitor.name(), visitor.length]).toEqual(['Ada', 3])
    expect(await rowsOf('Visitor.name')).toHaveLength(1)
    expect(await rowsOf('Visitor.get length')).toHaveLength(1)
  })

  it('a call through a Proxy first does not cost the call site its class name (standard dialect)', async () => {
    const { declareTill } = await load<Spied>('standard', 'library-spied')
    const till = new (declareTill(() => monitor()))()
    new Proxy(till, {}).add(1, 1)
    till.add(1, 1)
    expect((await rowsOf('Till.add')).length).toBeGreaterThanOrEqual(1)
  })
})

describe('results', () => {
  it('a query that fails when it is awaited is an error record', async () => {
    const knex = createKnex({ client: 'better-sqlite3', connection: ':memory:', useNullAsDefault: true })
    const lost = monitor(() => knex('nobody').select('*'), { name: 'lost' })
    await expect(lost().then(rows => rows)).rejects.toThrow('no such table')
    await knex.destroy()
    expect((await rowsOf('lost')).map(({ outcome }) => outcome)).toEqual(['error'])
  })

  it('a promise with extra members that is rejected is an error record', async () => {
    const refuse = monitor(() => new PCancelable<never>((_, reject) => reject(new RangeError('no'))), {
      name: 'refuse',
    })
    await expect(refuse()).rejects.toThrow('no')
    expect((await rowsOf('refuse')).map(({ outcome }) => outcome)).toEqual(['error'])
  })

  it('one whose rejection is handled by its own catch is too (that catch never calls its then)', async () => {
    const caught = monitor(() => new PCancelable<never>((_, reject) => reject(new RangeError('no'))), {
      name: 'caught',
    })
    expect(await caught().catch((error: Error) => error.message)).toBe('no')
    expect((await rowsOf('caught')).map(({ outcome }) => outcome)).toEqual(['error'])
  })

  it('a call whose query is never awaited by itself is counted when the query is collected', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const knex = createKnex({ client: 'better-sqlite3', connection: ':memory:', useNullAsDefault: true })
    const part = monitor(() => knex.select(knex.raw('1 AS one')), { name: 'part' })
    const whole = async (): Promise<unknown> => await knex.from(part().as('part'))
    expect(await whole()).toEqual([{ one: 1 }])
    await knex.destroy()
    await expect
      .poll(
        async () => {
          collect()
          return await rowsOf('part')
        },
        { timeout: 20_000 },
      )
      .toMatchObject([{ outcome: 'ok', result: null }])
    expect(place.rows(`SELECT calls FROM function_totals WHERE function = 'part'`)).toEqual([{ calls: 1 }])
  })

  it('limitation: a function that gives the same promise twice gives two derived ones', async () => {
    const connecting = Promise.resolve('connected')
    const connect = monitor(() => connecting, { name: 'connect' })
    const first = connect()
    expect(connect()).not.toBe(first)
    expect(await connect()).toBe('connected')
    // Workaround: monitor the function that makes the promise, not the one that remembers it.
    const make = monitor(() => Promise.resolve('connected'), { name: 'make' })
    const made = make()
    const remember = (): Promise<string> => made
    expect(remember()).toBe(remember())
  })

  it('an observable is recorded by its type', async () => {
    const prices = monitor((): Observable<number> => of(1, 2), { name: 'prices' })
    prices()
    expect((await rowsOf('prices')).map(({ result }) => result)).toEqual(['"[Observable]"'])
  })

  it('an Arrow table is recorded by its shape', async () => {
    const analyse = monitor((_table: object) => 0, { name: 'analyse' })
    analyse(tableFromArrays({ a: Int32Array.of(1, 2, 3), b: Float64Array.of(1, 2, 3) }))
    expect((await rowsOf('analyse')).map(({ args }) => args)).toEqual(['["[Table 3×2]"]'])
  })
})
