import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Dialect, Place } from './fixtures.js'

let place: Place
beforeEach(() => {
  place = new Place()
})
afterEach(() => place.dispose())

const calls = (): Record<string, number> =>
  Object.fromEntries(
    place
      .rows<{ function: string; calls: number }>('SELECT function, calls FROM function_totals')
      .map(row => [row.function, row.calls]),
  )

const MEMBERS = {
  'Base.method': 2,
  'Base.make': 1,
  'Base.get size': 1,
  'Base.get slot': 1,
  'Base.set slot': 1,
  'Base.[tag]': 1,
  'Base.[symbol]': 1,
  'Base.with spaces': 1,
  'orders/place': 1,
  'Base.overridden': 1,
  'Base.inherited': 1,
  'Base.stream': 1,
  'Child.overridden': 1,
  'Child.own': 1,
  'Renamed.create': 1,
  'Renamed.get area': 1,
  'Renamed.run': 1,
  'Detached.make': 1,
  'Detached.get slot': 1,
  'Title of its own.run': 1,
  'Title of its own.make': 1,
  run: 1,
  make: 1,
  'Twin.run': 2,
  named: 1,
  Constructed: 1,
  '(anonymous)': 2,
  given: 1,
  'emoji 🎈': 1,
}

describe('names of call sites in the store', () => {
  it.each<Dialect>(['standard', 'legacy'])('%s: what a reader looks for', async dialect => {
    const ended = await place.run(dialect, 'semantics-names')
    expect(ended).toEqual({ code: 0, stdout: '', stderr: '' })
    const stored = calls()
    const long = Object.keys(stored).find(name => name.startsWith('long '))
    expect(long).toMatch(/^long ü+…$/)
    expect(Buffer.byteLength(long ?? '')).toBeLessThanOrEqual(142)
    // A legacy decorator on a getter gets the setter with it.
    const pairs = dialect === 'legacy' ? { 'Base.set size': 1 } : {}
    // A standard decorator learns the class of an instance member from `this`; this one's first call had none.
    const detached = dialect === 'legacy' ? { 'Detached.place': 2 } : { place: 1, 'Detached.place': 1 }
    expect(stored).toEqual({ ...MEMBERS, ...pairs, ...detached, [long ?? '']: 1 })
  })

  it('private members and arrow-function properties', async () => {
    const ended = await place.run('standard', 'semantics-names.standard')
    expect(ended).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(calls()).toEqual({
      'Vault.#hidden': 1,
      'Vault.#shared': 1,
      'Vault.get #inside': 1,
      'Vault.arrow': 1,
      'Handler.handle': 50,
      nameless: 1,
      // Declared by Parent. Nothing leads from a private member or a property to its class but the first instance.
      'Heir.#declared': 2,
      'Heir.property': 2,
    })
    // One call site for the functions of all instances: the cap is theirs together. A second may end in between.
    const kept = place.rows("SELECT 1 FROM recent_calls WHERE function = 'Handler.handle'")
    expect([1, 2]).toContain(kept.length)
  })

  it('private members and properties find the class that declares them once Symbol.metadata exists', async () => {
    const define = "Object.defineProperty(Symbol, 'metadata', { value: Symbol('Symbol.metadata') })"
    const node = ['--import', `data:text/javascript,${encodeURIComponent(define)}`]
    const ended = await place.run('standard', 'semantics-names.standard', [], { node })
    expect(ended).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(calls()).toMatchObject({ 'Parent.#declared': 2, 'Parent.property': 2, 'Vault.#hidden': 1 })
  })
})
