import { createRequire } from 'node:module'
import { inspect } from 'node:util'
import { runInNewContext } from 'node:vm'
import { ConfigError, flush, type MonitorAllOptions, monitor, monitorAll, shutdown } from 'callsight'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Place } from './fixtures.js'

const place = new Place()
process.env['CALLSIGHT_DB'] = place.store
const warnings: string[] = []
const onWarning = (warning: Error & { readonly code?: string }): void => {
  if (warning.code === 'CALLSIGHT_NOT_MONITORED') warnings.push(warning.message)
}
process.on('warning', onWarning)
afterAll(async () => {
  process.off('warning', onWarning)
  await shutdown()
  place.dispose()
})

/** Warnings come in a later tick. */
async function warned(): Promise<string[]> {
  await new Promise(resolve => setImmediate(resolve))
  return warnings.splice(0)
}

let names: ReadonlySet<string> = new Set()
async function newSites(): Promise<string[]> {
  await flush()
  const rows = place.rows<{ function: string }>('SELECT function FROM function_totals ORDER BY function')
  const fresh = rows.map(row => row.function).filter(name => !names.has(name))
  names = new Set(rows.map(row => row.function))
  return fresh
}

function refusal(body: () => unknown): string {
  try {
    body()
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return (error as Error).message
  }
  throw new Error('it was accepted')
}
const untyped = monitorAll as (...args: unknown[]) => unknown

describe('monitorAll() on an object', () => {
  it('replaces what fits the pattern, in place, under the given prefix', async () => {
    const tag = Symbol('tag')
    const client = {
      base: 10,
      getOne(this: { base: number }, n: number): number {
        return this.base + n
      },
      getLater: async (n: number): Promise<number> => n,
      *getSteps(): Generator<number> {
        yield 1
      },
      set: (n: number): number => n,
      [tag]: (): number => 5,
      getValue: 7,
    }
    const { set } = client
    const before = Object.getOwnPropertyDescriptor(client, 'getOne')
    const given: typeof client = monitorAll(client, ['get*', tag], { name: 'redis', exclude: ['getLater'] })
    expect(given).toBe(client)
    expect([client.getOne(1), await client.getLater(2), [...client.getSteps()], client[tag]()]).toEqual([
      11,
      2,
      [1],
      5,
    ])
    expect([client.set(3), client.set === set, client.getValue]).toEqual([3, true, 7])
    const after = Object.getOwnPropertyDescriptor(client, 'getOne')
    expect({ ...after, value: null }).toEqual({ ...before, value: null })
    expect(client.getOne.name).toBe('getOne')
    expect(await newSites()).toEqual(['redis.[tag]', 'redis.getOne', 'redis.getSteps'])
    expect(await warned()).toEqual([])
  })

  it('without a pattern takes every function, under the name of the class if there is one', async () => {
    class Wallet {
      #sum = 1
      own = (): number => this.#sum
    }
    const wallet = monitorAll(new Wallet())
    const plain = monitorAll({ alone: () => 1 })
    const callable = monitorAll(Object.assign(function app() {}, { listen: () => 2 }))
    callable()
    expect([wallet.own(), plain.alone(), callable.listen()]).toEqual([1, 1, 2])
    expect(await newSites()).toEqual(['Wallet.own', 'alone', 'app.listen'])
  })

  it('inherited functions: only when asked, for this one object, without new enumerable keys', async () => {
    class Store {
      #rows = ['row']
      find(): string[] {
        return this.#rows
      }
      get size(): number {
        return this.#rows.length
      }
      toString(): string {
        return 'a store'
      }
    }
    class Cache extends Store {
      override find(): string[] {
        return [...super.find(), 'cached']
      }
    }
    const cache = new Cache()
    expect(monitorAll(cache, 'find')).toBe(cache)
    expect(await warned()).toEqual([expect.stringContaining('{ inherited: true }')])
    monitorAll(cache, { inherited: true })
    expect([cache.find(), cache.size, String(cache)]).toEqual([['row', 'cached'], 1, 'a store'])
    expect([Object.keys(cache), cache.constructor, cache.hasOwnProperty]).toEqual([
      [],
      Cache,
      Object.prototype.hasOwnProperty,
    ])
    expect(new Cache().find).not.toBe(cache.find)
    expect(await newSites()).toEqual(['Cache.find', 'Cache.toString'])
    const foreign = runInNewContext('({ run() { return 1 } })') as { run(): number }
    monitorAll(foreign, { inherited: true })
    expect([foreign.run(), Object.keys(foreign)]).toEqual([1, ['run']])
    expect(Object.getOwnPropertyNames(foreign)).toEqual(['run'])
    expect(await newSites()).toEqual(['run'])
  })

  it('runs no getter, no setter and no Proxy trap', async () => {
    const trap = (): never => {
      throw new Error('code of the app ran')
    }
    const handler = new Proxy({}, { get: trap })
    const target = {
      get lazy(): never {
        return trap()
      },
      set written(_: unknown) {
        trap()
      },
      proxied: new Proxy(() => 1, handler),
      inner: new Proxy({}, handler),
      run: (): number => 1,
    }
    const { proxied } = target
    monitorAll(target, { inherited: true, classes: true })
    expect([target.run(), target.proxied === proxied]).toEqual([1, true])
    expect(await newSites()).toEqual([])
    const behind = Object.create(new Proxy({}, handler)) as object
    monitorAll(behind, { inherited: true })
    expect(await warned()).toEqual([expect.stringContaining('no function of the object fits')])
    monitorAll({
      get only() {
        return trap()
      },
    })
    expect(await warned()).toEqual([expect.stringContaining('getters')])
    expect(refusal(() => monitorAll(new Proxy({ run: () => 1 }, handler)))).toContain('monitor(fn)')
  })

  it('a method that is a Proxy is monitored on a class without running its traps', () => {
    const log: string[] = []
    const spy = (name: string) => () => {
      log.push(name)
      return undefined
    }
    const names = ['get', 'has', 'ownKeys', 'getPrototypeOf', 'getOwnPropertyDescriptor', 'set'] as const
    const handler = Object.fromEntries(names.map(name => [name, spy(name)]))
    class Mocked {
      run(): number {
        return 0
      }
    }
    Mocked.prototype.run = new Proxy(() => 5, handler)
    monitorAll(Mocked, { sample: 0 })
    expect([log, new Mocked().run()]).toEqual([[], 5])
  })

  it('never wraps twice, and a function with two names is one call site', async () => {
    const shared = (n: number): number => n
    const own = monitor((n: number): number => n, { name: 'its own', sample: 0 })
    const library = { first: shared, second: shared, own }
    monitorAll(library, { name: 'twice' })
    const { first } = library
    expect([library.first === library.second, library.own === own, first === shared]).toEqual([
      true,
      true,
      false,
    ])
    monitorAll(library, { name: 'again' })
    expect(library.first).toBe(first)
    library.first(1)
    library.second(2)
    library.own(3)
    await flush()
    expect(
      place.rows(
        "SELECT function, calls FROM function_totals WHERE function LIKE 'twice%' OR function LIKE 'again%'",
      ),
    ).toEqual([{ function: 'twice.first', calls: 2 }])
    await newSites()
    expect(await warned()).toEqual([])
  })

  it('sealed members are replaced, frozen ones refused or, when there are others, named in a warning', async () => {
    const sealed = Object.seal({ run: (): number => 1 })
    expect(monitorAll(sealed, { name: 'sealed' }).run()).toBe(1)
    expect(await newSites()).toEqual(['sealed.run'])
    const run = (): number => 2
    const frozen = Object.freeze({ run })
    expect(refusal(() => monitorAll(frozen))).toMatch(/run.*monitorAll\(\{ \.\.\.object \}\)/)
    expect(frozen.run).toBe(run)
    const mixed = Object.defineProperty({ free: (): number => 3 }, 'fixed', { value: run })
    monitorAll(mixed, { name: 'mixed' }).free()
    expect(await newSites()).toEqual(['mixed.free'])
    expect(await warned()).toEqual([expect.stringMatching(/cannot be replaced: fixed$/)])
    class Base {
      run(): number {
        return 1
      }
    }
    expect(refusal(() => monitorAll(Object.freeze(new Base()), { inherited: true }))).toContain('run')
  })

  it('classes among the members stay as they are unless asked for; then their methods are replaced in place', async () => {
    const library = {
      Client: class Client {
        static connect(): Client {
          return new Client()
        }
        query(text: string): string {
          return text
        }
        close(): void {}
      },
      helper: (): number => 1,
    }
    const { Client } = library
    const { query, close } = Client.prototype
    monitorAll(library, '*', { name: 'db', exclude: ['helper'] })
    expect(await warned()).toEqual([expect.stringContaining('{ classes: true }')])
    expect(Client.prototype.query).toBe(query)
    monitorAll(library, ['Client.query', 'Client.connect'], { name: 'db', classes: true })
    expect(library.Client).toBe(Client)
    expect(Client.prototype.close).toBe(close)
    library.Client.connect().query('text')
    expect(await newSites()).toEqual(['db.Client.connect', 'db.Client.query'])
  })

  it('a class as the target: its methods, by pattern, as by a decorator above it', async () => {
    class Repository {
      static open(): Repository {
        return new Repository()
      }
      findOne(): number {
        return 1
      }
      findAll(): number {
        return 2
      }
      [inspect.custom](): string {
        return 'shown'
      }
      save(): void {}
    }
    expect(monitorAll(Repository, ['find*', 'open', inspect.custom])).toBe(Repository)
    const repository = Repository.open()
    repository.findOne()
    repository.findAll()
    repository.save()
    expect(inspect(repository)).toBe('shown')
    expect(await newSites()).toEqual([
      'Repository.[nodejs.util.inspect.custom]',
      'Repository.findAll',
      'Repository.findOne',
      'Repository.open',
    ])
  })

  it('exports of a CommonJS module are replaced for everybody', async () => {
    const require = createRequire(import.meta.url)
    const querystring = require('node:querystring') as typeof import('node:querystring')
    monitorAll(querystring, 'escape', { name: 'querystring' })
    const again = require('node:querystring') as typeof import('node:querystring')
    expect(again.escape('a b')).toBe('a%20b')
    expect(again.stringify({ a: 'b c' })).toBe('a=b%20c')
    expect(await newSites()).toEqual(['querystring.escape'])
  })

  it('what compilers make of `import * as` is treated as the namespace it stands for', async () => {
    const exports = { run: (): number => 1, other: (): number => 2 }
    const compiled = Object.defineProperties({} as typeof exports, {
      run: { enumerable: true, get: () => exports.run },
      other: { enumerable: true, get: () => exports.other },
      default: { enumerable: true, value: exports },
    })
    const all = monitorAll(compiled, 'run', { name: 'compiled' })
    expect([all === compiled, all.run(), all.other === exports.other]).toEqual([false, 1, true])
    exports.run = () => 10
    expect([all.run(), compiled.run()]).toEqual([10, 10])
    expect(await newSites()).toEqual(['compiled.run'])
  })

  it('leaves what belongs to the engine alone: the recorder uses it too', () => {
    const { get } = Map.prototype
    expect(refusal(() => monitorAll(Map))).toContain('extend the class')
    expect(refusal(() => monitorAll(Array.prototype))).toContain('extend the class')
    expect(refusal(() => monitor(Promise as never))).toContain('extend the class')
    for (const target of [JSON, Reflect, Math, Atomics, globalThis]) {
      expect(refusal(() => monitorAll(target, '*'))).toContain('monitor(JSON.parse)')
    }
    expect(monitor(JSON.parse, { sample: 0 })('[1]')).toEqual([1])
    monitorAll({ Map, run: () => 1 }, { classes: true })
    class Rows extends Map<string, number> {
      first(): number | undefined {
        return this.get('first')
      }
    }
    monitorAll(Rows, 'first', { sample: 0 })
    expect([new Rows([['first', 1]]).first(), Map.prototype.get]).toEqual([1, get])
  })

  it('refuses what has no meaning, and says what to write', () => {
    expect(refusal(() => untyped(7))).toContain('takes an object')
    expect(refusal(() => untyped({}, 'x', { inherit: true }))).toContain('did you mean "inherited"?')
    expect(refusal(() => untyped({}, 7))).toContain('pattern')
    expect(refusal(() => untyped({}, []))).toContain('at least one pattern')
    expect(refusal(() => untyped({}, ['a', 7]))).toContain('pattern[1]')
    expect(refusal(() => untyped({}, {}, {}))).toContain('pattern')
    expect(refusal(() => untyped({}, { exclude: 'health' }))).toContain('exclude')
    expect(refusal(() => untyped({}, new Proxy([], {})))).toContain('a Proxy')
  })
})

describe('the option exclude where it has no meaning', () => {
  const exclude: MonitorAllOptions = { exclude: ['health'] }
  const decorate = (...place: unknown[]) =>
    (monitor as (options: object) => (...place: unknown[]) => unknown)(exclude)(...place)

  it.each([
    ['a function', () => monitor((() => 1) as never, exclude as never)],
    ['a legacy method', () => decorate({}, 'run', { value: () => 1 })],
    ['a standard method', () => decorate(() => 1, { kind: 'method', name: 'run', static: false })],
    ['a field', () => decorate(undefined, { kind: 'field', name: 'run', static: false })],
  ])('%s: refused, and the message says what to do instead', (_, body) => {
    expect(refusal(body)).toContain('take its @monitor() away')
  })

  it('names and patterns out of range are refused', () => {
    const options = (given: unknown) => () => (monitor as (options: unknown) => unknown)({ exclude: given })
    expect(refusal(options([7]))).toContain('exclude[0]')
    expect(refusal(options(['']))).toContain('exclude[0]')
    expect(refusal(options('health'))).toContain('a list')
    expect(refusal(options(['a'.repeat(257)]))).toContain('256 characters')
  })
})

describe('monitorAll() on a module namespace', () => {
  let folder: Place
  beforeEach(() => {
    folder = new Place()
  })
  afterEach(() => folder.dispose())
  const run = <T>(scenario: string, env: NodeJS.ProcessEnv = {}): Promise<{ answer: T; state: string }> =>
    folder.json('standard', 'semantics-all', [scenario], { env })
  const calls = () =>
    Object.fromEntries(
      folder
        .rows<{ function: string; calls: number }>('SELECT function, calls FROM function_totals')
        .map(row => [row.function, row.calls]),
    )

  it('gives a stand-in with the same keys, whose bindings stay live and whose functions are monitored', async () => {
    expect((await run('esm')).answer).toEqual({
      before: 2,
      after: 200,
      stable: true,
      sameUnderBothNames: true,
      results: [1, 1, 'default', 3],
      untouched: [true, true, true],
      original: 1,
      keys: true,
      enumerated: true,
      tag: '[object Module]',
      written: false,
      wrappedOnce: true,
    })
    expect(calls()).toEqual({ 'library.counter': 2, 'library.getOne': 2, 'library.default': 1 })
  })

  it('classes of a module, when asked for', async () => {
    expect((await run('classes')).answer).toEqual(['rows of t', true, true])
    expect(calls()).toEqual({ 'Client.query': 1 })
  })

  it('modules of Node: only calls through the stand-in are recorded', async () => {
    expect((await run('core')).answer).toEqual(['a/b', 'c/d'])
    expect(calls()).toEqual({ 'path.join': 1 })
  })

  it('bindings that are not initialised yet are not touched before the app reads them', async () => {
    expect((await run('early')).answer).toEqual(['ReferenceError', '1', 2])
    expect(calls()).toEqual({ arrow: 1, declared: 1 })
  })

  it('a pattern nothing fits: the very same functions, and a warning', async () => {
    const { stdout, stderr } = await folder.run('standard', 'semantics-all', ['nothing'])
    expect(stdout).toContain('"answer":true')
    expect(stderr).toContain('no name of the module fits')
  })

  it('CALLSIGHT=off: the target itself, untouched', async () => {
    expect(await run('off', { CALLSIGHT: 'off' })).toEqual({ answer: [true, true, 1], state: 'off' })
  })
})
