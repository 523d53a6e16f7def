import { monitor, shutdown } from 'callsight'
import { afterAll, describe, expect, it } from 'vitest'
import { load, Place } from './fixtures.js'

type Subject = typeof import('../fixtures/src/semantics-subject.js')

const place = new Place()
process.env['CALLSIGHT_DB'] = place.store
afterAll(async () => {
  await shutdown()
  place.dispose()
})

/** As containers that read the names of parameters do it. */
const parametersOf = (fn: Function): string[] =>
  /^[^(]*\(([^)]*)\)/
    .exec(String(fn))?.[1]
    ?.split(',')
    .map(name => name.trim())
    .filter(name => name !== '') ?? []

describe('what frameworks read of functions and classes', () => {
  it('a whole class is the very class: its text, its parameters, how it is told from a function', async () => {
    class Bare {
      constructor(
        readonly database: unknown,
        readonly mailer: unknown,
      ) {}
      run(): number {
        return 1
      }
    }
    const before = String(Bare)
    monitor({ sample: 0 })(Bare)
    expect(String(Bare)).toBe(before)
    expect(/^class\b/.test(String(Bare))).toBe(true)
    expect(parametersOf(Bare.prototype.constructor)).toEqual(parametersOf(Bare))
    expect([Bare.name, Bare.length, new Bare(1, 2).run()]).toEqual(['Bare', 2, 1])
    const { declareWhole } = await load<Subject>('legacy', 'semantics-subject')
    expect(String(declareWhole(() => monitor()))).toMatch(/^class Whole\b/)
  })

  it('length, by which a router tells handlers from error handlers', () => {
    const handler = (_request: unknown, _response: unknown): void => {}
    const errorHandler = (_error: unknown, _request: unknown, _response: unknown, _next: unknown): void => {}
    expect([monitor(handler).length, monitor(errorHandler).length]).toEqual([2, 4])
    expect(monitor((_a: number, _b = 1, ..._rest: number[]) => _a).length).toBe(1)
  })

  it('limitation: the text of a monitored function is that of the wrapper, so its parameters have no names there', () => {
    const factory = function factory({ database }: { database: unknown }): unknown {
      return database
    }
    expect(parametersOf(monitor(factory))).not.toEqual(parametersOf(factory))
    // Own keys are those of the function: no `toString` is put on it to hide that.
    expect(Reflect.ownKeys(monitor(factory)).toSorted()).toEqual(Reflect.ownKeys(factory).toSorted())
  })

  it('workaround: register the bare function, monitor what it makes', () => {
    const registered = function makeService(database: number): () => number {
      return monitor(() => database, { name: 'service' })
    }
    expect(parametersOf(registered)).toEqual(['database'])
    expect(registered(7)()).toBe(7)
  })

  it('a prototype given to a monitored constructor afterwards is that of new objects', () => {
    const Old = monitor(function Old() {}) as unknown as { new (): object; prototype: object }
    expect(Object.getPrototypeOf(new Old())).toBe(Old.prototype)
    const replaced = {}
    Old.prototype = replaced
    expect(Object.getPrototypeOf(new Old())).toBe(replaced)
    expect(new Old()).toBeInstanceOf(Old)
  })
})
