import * as namespace from 'node:path'
import { createContext, runInContext } from 'node:vm'
import { decodeMulti } from '@msgpack/msgpack'
import { expect, it } from 'vitest'
import { DEFAULTS } from '../../lib/config/defaults.js'
import type { Limits } from '../../lib/config/options.js'
import { Capture } from '../../lib/serialize/capture.js'
import type { RedactionOptions } from '../../lib/serialize/redaction.js'
import fc from '../support/fast-check.js'
import { givenSeed } from '../support/seed.js'
import { newSite } from './harness.js'

const SECRET = 'HUNTER-2X'
const ROOM = 8_192
const GUARD = 0x5a
const GUARD_BYTES = 32
/** All texts are shorter, so that the limits below cut none, but one of them sends everything the careful way. */
const TEXT_UNITS = 30

/** Code of the application that was run by a capture. */
let ran = 0
let isArmed = false
const trap = (): string => {
  if (isArmed) ran++
  return 'TRAPPED'
}
const trapList = (): string[] => {
  trap()
  return []
}
const trapNothing = (): undefined => void trap()
const traps: ProxyHandler<object> = {
  get: trap,
  has: () => Boolean(trap()),
  ownKeys: trapList,
  getOwnPropertyDescriptor: trapNothing,
  getPrototypeOf: () => trapList(),
}
class Instance {
  x = 1
  get accessor(): unknown {
    return trap()
  }
  set accessor(_: unknown) {
    trap()
  }
  toJSON(): unknown {
    return trap()
  }
}
class Derived extends Instance {
  y = { z: 1 }
  override toString(): string {
    return trap()
  }
}
class List extends Array<unknown> {
  get extra(): unknown {
    return trap()
  }
}
const otherRealm = createContext({})
const trappedRealm: unknown = runInContext('this', createContext(new Proxy({}, traps)))
const foreign = (source: string): unknown => runInContext(source, otherRealm)
const argumentsOf = new Function('a', 'b', 'return arguments') as (...args: unknown[]) => unknown

// biome-ignore format: one line a kind
const KEYS = [
  'id', 'side', 'venue', 'password', 'value', 'name', 'key', 'headers', 'authorization', 'token', '__proto__', 'length',
  '0', '1', '10', '4294967295', '-1', 'then', 'toJSON', 'get', 'set', 'a-b', 'é', 'PASSWORD', 'pass_word', 'ＰＡＳＳword',
  'exactly fifteen', 'sixteen letters!', 'sk-abcdefghijklmnop1234', 'callsight: no key', 'cvv2', '\0', '\ud800', 'ab=c', '',
]
// biome-ignore format: one line a kind
const TEXTS = [
  'EURUSD', 'password', 'Authorization', 'access_token', 'X-Api-Key', 'eyJabcdefghijk', 'Bearer abcdefgh', '-p x', '--pin 1',
  'AKIAABCDEFGHIJKLMNOP', '4111 1111 1111 1111', '2020-01-01T00:00:00Z', 'pin=1234', 'a:b@c', 'é', '\ud800', '\udc00x', '日本',
  '/user/password', 'exactly fifteen', '', 'a', "passwd 'abc'", '$2a$10$abcdefghijklmnopqrst',
]
// biome-ignore format: one line a kind
const NUMBERS = [
  -0, 127, 128, 256, 65_536, -32, -33, -129, -32_769, 2 ** 31, -(2 ** 31) - 1, 2 ** 32, 2 ** 53, -(2 ** 53), 3e12,
  4111111111111111, Number.NaN, Number.POSITIVE_INFINITY, Number.MIN_VALUE, Number.MAX_VALUE, 4.5,
]

class Maker {
  #state: number
  #made: object[] = []

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  chance(share: number): boolean {
    return this.int(1_000_000) < share * 1_000_000
  }

  int(below: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((this.#state / 2 ** 32) * below)
  }

  pick<T>(from: readonly T[]): T {
    return from[this.int(from.length)] as T
  }

  value(depth: number): unknown {
    return depth <= 0 || this.chance(0.5) ? this.#leaf() : this.#container(depth)
  }

  #leaf(): unknown {
    const rest = [
      () => this.int(300) - 100,
      () => this.pick(NUMBERS),
      () => this.pick([true, false, null, undefined]),
      () => this.pick([10n, 2n ** 70n, 4111111111111111n, 2n ** 1_500n]),
      () =>
        this.pick([
          Symbol('s'),
          trap,
          /ab+c/gi,
          new Date(Number.NaN),
          new Date(8e15),
          namespace,
          trappedRealm,
        ]),
      () => this.pick([new Proxy({}, traps), new Proxy(trap, traps), new Proxy([1], traps)]),
      () =>
        this.pick([
          new Uint8Array(3),
          Buffer.from('abc'),
          new ArrayBuffer(3),
          new WeakMap(),
          Promise.resolve(1),
        ]),
      () =>
        this.pick([
          new String('password'),
          Object(1n),
          new URL('ws://u:p@h/'),
          new URLSearchParams('a=1&password=2'),
        ]),
      () => new TypeError('x', { cause: { password: SECRET } }),
      () =>
        foreign(
          this.pick([
            `({a: 1, password: '${SECRET}', get b() { return 1 }})`,
            `[1, 'password', '${SECRET}']`,
          ]),
        ),
      () => foreign(this.pick([`new Map([['password', '${SECRET}']])`, 'Object.create(null)', 'this'])),
      () => this.pick([argumentsOf('x', { a: 1 }), new Instance(), new Derived(), new List(1, 2)]),
    ]
    return this.chance(0.3) ? this.pick(TEXTS).slice(0, TEXT_UNITS) : this.pick(rest)()
  }

  #container(depth: number): unknown {
    const inner = () => this.value(depth - 1)
    const kind = this.int(14)
    if (kind === 0 && this.#made.length > 0) return this.pick(this.#made)
    const some = (most: number) => Array.from({ length: this.int(most) }, inner)
    if (kind === 1) return new Map(some(5).map(item => [this.chance(0.7) ? this.pick(KEYS) : item, inner()]))
    if (kind === 2) return new Set(some(5))
    const made =
      kind < 6
        ? some(12)
        : this.pick([() => ({}), () => ({}), () => Object.create(null), () => new Derived()])()
    this.#made.push(made as object)
    const fields = Array.isArray(made) ? this.int(3) : this.chance(0.01) ? 150 : this.int(10)
    for (let i = 0; i < fields; i++) this.#define(made as object, fields > 20 ? `k${i}` : undefined, inner)
    // What has lost a property is kept as a dictionary.
    if (this.chance(0.1)) Reflect.deleteProperty(made as object, 'id')
    if (this.chance(0.1)) Object.freeze(made)
    return made
  }

  #define(owner: object, name: string | undefined, inner: () => unknown): void {
    const setter = { set: trap, enumerable: true, configurable: true }
    const key = Array.isArray(owner)
      ? this.pick(['0', '2', '7', 'extra', '__lookupGetter__'])
      : this.pick(KEYS)
    const data = { value: inner(), enumerable: this.chance(0.9), configurable: true, writable: true }
    const descriptor = this.chance(0.8) ? data : this.pick([setter, { ...setter, get: trap }])
    Reflect.defineProperty(owner, name ?? key, descriptor)
  }
}

const RULES: readonly RedactionOptions[] = [
  {},
  {},
  { keys: ['symbol', 'venue', /^si/i] },
  { allow: ['token'] },
  { when: key => key === 'id' },
  { site: ['user.name', '0.side'] },
]
const LIMITS: readonly Partial<Limits>[] = [
  {},
  { nodes: 7 },
  { nodes: 1 },
  { depth: 1 },
  { fields: 2 },
  { bytes: 600 },
  { fields: 3, items: 3, nodes: 9, bytes: 500, listItems: 4 },
]
const pairs = LIMITS.map(limits =>
  [1, 0].map(more => new Capture({ ...DEFAULTS.limits, ...limits, stringLength: TEXT_UNITS + more })),
)

it('objects of every kind are written alike both ways, whole, within the room, and nothing of theirs is run', () => {
  const property = fc.property(fc.integer(), seed => {
    const make = new Maker(seed)
    const args = Array.from({ length: 1 + make.int(make.chance(0.9) ? 4 : 12) }, () =>
      make.value(make.int(5)),
    )
    const rules = make.pick(RULES)
    const room = make.chance(0.7) ? ROOM : make.int(1_500)
    const isResult = make.chance(0.3)
    const [quick, careful] = make.pick(pairs).map(by => {
      const bytes = new Uint8Array(room + GUARD_BYTES).fill(GUARD)
      const site = newSite(rules)
      isArmed = true
      const end = isResult
        ? by.writeResult(bytes, 0, room, args[0], true, site)
        : by.writeArguments(bytes, 0, room, args, true, site)
      isArmed = false
      expect(bytes.subarray(room).every(byte => byte === GUARD)).toBe(true)
      return Buffer.from(bytes.subarray(0, end))
    })
    expect(quick?.equals(careful as Buffer)).toBe(true)
    expect(ran).toBe(0)
    for (const text of [SECRET, 'TRAPPED']) expect(quick?.includes(text)).toBe(false)
    if (quick !== undefined && quick.length > 0)
      expect([...decodeMulti(quick)]).toHaveLength(isResult ? 1 : 2)
  })
  fc.assert(property, { numRuns: 2_000, ...givenSeed })
})
