import { Blob } from 'node:buffer'
import { types } from 'node:util'
import { expect, it } from 'vitest'
import { DEFAULTS } from '../../lib/config/defaults.js'
import { Capture } from '../../lib/serialize/capture.js'
import { newSite } from './harness.js'

const CLASSES = [
  ...[Object, Function, Array, String, Number, BigInt, Symbol, Map, Set, WeakMap, WeakSet, Date, RegExp],
  ...[Promise, DataView, ArrayBuffer, SharedArrayBuffer, Uint8Array, Int32Array, Error, URL, URLSearchParams],
  ...[Blob, TextEncoder, Buffer, EventTarget, DOMException, Object.getPrototypeOf(Uint8Array) as () => void],
]
const iterators: object[] = [[].values(), new Map().entries(), new Set().values()].map(
  iterator => Object.getPrototypeOf(iterator) as object,
)
const OWNERS: Record<string, object> = { Math, Reflect, JSON, types, globalThis }
for (const owner of CLASSES) OWNERS[owner.name] = owner
for (const owner of CLASSES) OWNERS[`${owner.name}.prototype`] = owner.prototype as object
for (const [index, owner] of iterators.entries()) OWNERS[`iterator ${index}`] = owner

class Point {
  x = 1
  y = 'two'
}
class Table {
  numRows = 1
  numCols = 2
}
class List extends Array<unknown> {}

const error = new Error('refused', { cause: new TypeError('cause') })
const aggregate = new AggregateError([new RangeError('one')], 'all')
const gone = new DOMException('gone', 'AbortError')
// Formatted here: reading the first time runs `Error.prepareStackTrace`, which is said in the documents.
for (const thrown of [error, error.cause as Error, aggregate, gone, ...(aggregate.errors as Error[])])
  void thrown.stack

const values: unknown[] = [
  ...[1.5, -0, 2 ** 40, 10n, 10n ** 30n, Symbol('s'), () => 1, Point, new Date(0), new Date(8e15), /x/gi],
  ...['x'.repeat(9), 'x'.repeat(31), 'x'.repeat(77), 'x'.repeat(600), 'x'.repeat(2_000), 'é'.repeat(50)],
  ...['password=abc d', 'Bearer abcdefghijkl', '4111 1111 1111 1111', `${'a '.repeat(200)}token=xyz`],
  ...['https://u:p@h/?token=1', '<pin>1</pin>', '%22token%22%3A%22abc%22', 'mysql -psecret', 'x\ud800'],
  { a: { b: 1 }, salary: 4, name: 'password', value: 'x', é: 1, password: 'x', ['k'.repeat(100)]: 1 },
  [1, undefined, { x: 1 }, 'password', 'x', [], new Array(3)],
  List.from([1, 'two']),
  ...[new Map([['a', 1]]), new Set(['b']), new Point(), new Table(), new Float64Array(3), Buffer.from('abc')],
  ...[new DataView(new ArrayBuffer(3)), new ArrayBuffer(3), new SharedArrayBuffer(2), new Blob(['x'])],
  ...[new URL('http://x/y?token=1'), new URLSearchParams('a=1&token=2'), Promise.resolve(1), new WeakMap()],
  ...[new Proxy({}, {}), new Proxy([], {}), Object(1), Object('x'), Object(1n), Object(Symbol('s'))],
  ...[error, aggregate, gone, process, globalThis, Object.create(null)],
  // Their names make the shape longer than 255 bytes.
  Array.from({ length: 8 }, (_, i) => Object.create({ constructor: { name: `${'Long'.repeat(15)}${i}` } })),
]

function makeCapture(): () => void {
  const site = newSite({ site: ['salary', /^pin/, '0.a.b', 2, 'list.0.x'] })
  const capture = new Capture(DEFAULTS.limits)
  const room = 32 * 1_024
  const memories = [new Uint8Array(new SharedArrayBuffer(room)), Buffer.alloc(room), new Uint8Array(room)]
  return () => {
    for (let m = 0; m < memories.length; m++) {
      const bytes = memories[m] as Uint8Array
      for (let i = 0; i < values.length; i++) {
        const value = values[i]
        capture.writeArguments(bytes, 0, room, [value, 'x', value], true, site)
        capture.writeArguments(bytes, 0, room, [value], 'types', site)
        capture.writeResult(bytes, 0, room, value, true, site)
        capture.writeError(bytes, 0, room, value, false, site)
        capture.writeError(bytes, 0, room, value, true, site)
      }
      capture.writeArguments(bytes, 0, room, values[values.length - 1] as unknown[], true, site)
    }
  }
}

it('runs nothing that the application has put in the place of any built-in', () => {
  const run = makeCapture()
  const { apply, construct, defineProperty, deleteProperty, getOwnPropertyDescriptor, ownKeys } = Reflect
  // Filled, and as long as it gets: the setters below stand behind every hole.
  const ran = new Array<string>(1_000).fill('')
  let noted = 0
  let isArmed = false
  const note = (name: string): void => {
    if (isArmed && noted < ran.length) ran[noted++] = name
  }
  const spied = (name: string, original: (...args: unknown[]) => unknown): unknown =>
    new Proxy(original, {
      __proto__: null,
      apply: (_, self, args) => {
        note(name)
        return apply(original, self, args) as unknown
      },
      construct: (_, args, target) => {
        note(`new ${name}`)
        return construct(original, args, target) as object
      },
    } as ProxyHandler<typeof original>)
  const patches: { owner: object; key: PropertyKey; before: object; patched: object }[] = []
  for (const [name, owner] of Object.entries(OWNERS)) {
    for (const key of ownKeys(owner)) {
      const before = getOwnPropertyDescriptor(owner, key) as PropertyDescriptor
      const what = `${name}.${String(key)}`
      const patched = { ...before }
      if (typeof before.value === 'function') patched.value = spied(what, before.value as () => unknown)
      else if (before.get !== undefined) patched.get = spied(what, before.get) as () => unknown
      else continue
      if (!before.configurable) continue
      // Without a prototype: none of them is patched when they are put back.
      Object.setPrototypeOf(before, null)
      Object.setPrototypeOf(patched, null)
      patches.push({ owner, key, before, patched })
    }
  }
  const polluted = [
    'get',
    'set',
    'next',
    'key',
    'value',
    'done',
    'read',
    'written',
    'index',
    'groups',
    '0',
    '7',
  ]
  const trap = Object.assign(Object.create(null) as object, {
    get: () => note('a getter of Object.prototype'),
    set: () => note('a setter of Object.prototype'),
    configurable: true,
  })
  try {
    for (let i = 0; i < patches.length; i++) {
      const { owner, key, patched } = patches[i] as (typeof patches)[number]
      defineProperty(owner, key, patched)
    }
    for (let i = 0; i < polluted.length; i++) defineProperty(Object.prototype, polluted[i] as string, trap)
    isArmed = true
    run()
  } finally {
    isArmed = false
    for (let i = 0; i < polluted.length; i++) deleteProperty(Object.prototype, polluted[i] as string)
    for (let i = patches.length - 1; i >= 0; i--) {
      const { owner, key, before } = patches[i] as (typeof patches)[number]
      defineProperty(owner, key, before)
    }
  }
  expect(patches.length).toBeGreaterThan(500)
  expect([...new Set(ran.slice(0, noted))]).toEqual([])
})
