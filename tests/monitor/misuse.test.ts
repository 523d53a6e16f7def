import { ConfigError, configure, health, monitor, shutdown, tune } from 'callsight'
import { afterAll, describe, expect, it } from 'vitest'
import { Place } from './fixtures.js'

const place = new Place()
afterAll(async () => {
  await shutdown()
  place.dispose()
})

type Untyped = (...args: unknown[]) => unknown
const untyped = { monitor: monitor as Untyped, configure: configure as Untyped, tune: tune as Untyped }

function refusal(body: () => unknown): string {
  try {
    body()
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    expect(error).toMatchObject({ code: 'CALLSIGHT_CONFIG' })
    return (error as Error).message
  }
  throw new Error('it was accepted')
}

describe('what is refused, and what the message says to do', () => {
  it('unknown options: the one that was meant', () => {
    expect(refusal(() => untyped.monitor({ smaple: 1 }))).toContain('did you mean "sample"?')
    expect(refusal(() => untyped.monitor(() => {}, { capture: { arg: true } }))).toContain('capture.args')
    expect(refusal(() => untyped.configure({ store: { pth: 'x' } }))).toContain('did you mean "store.path"?')
    expect(refusal(() => untyped.configure({ retention: '1h' }))).toContain('store.retention')
    expect(refusal(() => untyped.tune('*', { sampel: 1 }))).toContain('did you mean "sample"?')
  })

  it('values out of range', () => {
    expect(refusal(() => monitor({ sample: 1.5 }))).toContain('sample')
    expect(refusal(() => monitor({ sample: NaN }))).toContain('sample')
    expect(refusal(() => untyped.monitor({ slow: '5 minutes' }))).toContain('slow')
    expect(refusal(() => untyped.tune('*', {}, { for: 'soon' }))).toContain('soon')
    expect(refusal(() => untyped.tune('*', {}, { forr: '1m' }))).toContain('did you mean "for"?')
    expect(refusal(() => tune('', {}))).toContain('pattern')
    expect(refusal(() => configure({ writer: { ringBytes: 1_000 } }))).toContain('power of two')
  })

  it('a decorator without its parentheses, in both dialects', () => {
    const method = (): void => {}
    const context = { kind: 'method', name: 'x', static: false, private: false }
    expect(refusal(() => untyped.monitor(method, context))).toContain('@monitor()')
    expect(refusal(() => untyped.monitor({}, 'x', { value: method }))).toContain('@monitor()')
  })

  it('a decorator where there is nothing to see', () => {
    expect(refusal(() => (monitor() as Untyped)({}, 'field', undefined))).toContain('monitor((…) => …)')
    expect(refusal(() => (monitor() as Untyped)(7))).toContain('method')
    // A parameter decorator gets the position of the parameter where a method's gets its descriptor.
    expect(refusal(() => (monitor() as Untyped)({}, 'method', 0))).toContain('method')
  })

  it('none of this starts the recorder', () => {
    expect(health().state).toBe('idle')
  })

  it('configure: adds up before the first call, refuses after it, and says what to use instead', () => {
    configure({ store: { path: place.store }, sample: 0.5 })
    configure({ store: { retention: '1h' } })
    expect(health().state).toBe('idle')
    monitor(() => {})()
    expect(health()).toMatchObject({ state: 'recording', store: { path: place.store } })
    expect(refusal(() => configure({ sample: 1 }))).toContain('tune()')
    expect(refusal(() => untyped.configure({ smaple: 1 }))).toContain('did you mean "sample"?')
  })
})
