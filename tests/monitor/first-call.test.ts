import { afterEach, describe, expect, it } from 'vitest'
import { className, declaringClass, functionName } from '../../lib/monitor/naming.js'
import { live, type Recording } from '../../lib/monitor/recording.js'
import { wrap } from '../../lib/monitor/wrap.js'

const trap = (): never => {
  throw new Error('a trap of the app ran')
}
const hostile = new Proxy(class Hidden {}, {
  get: trap,
  getOwnPropertyDescriptor: trap,
  getPrototypeOf: trap,
})

describe('the name of a call site', () => {
  it('is found without running a trap of a Proxy that stands for a class', () => {
    expect(functionName(hostile)).toBe('')
    expect(className({ constructor: hostile })).toBe('')
    const instance = Object.create({ constructor: hostile, place() {} }) as { place(): void }
    expect(declaringClass(instance, 'place', value => value === instance.place)).toBe('')
  })
})

describe('a recorder that fails at the first call of a function', () => {
  afterEach(() => {
    live.recording = null
  })

  it.each([
    ['function', (n: number) => n + 1],
    [
      'generator',
      function* (n: number) {
        yield n + 1
      },
    ],
  ])('is out of the way: the %s runs, the failure is told to the recorder once', (_, fn) => {
    const told: unknown[] = []
    const broken = new Error('cannot attach')
    const recording: Pick<Recording, 'attach' | 'fail'> & { producer: { busy: boolean } } = {
      producer: { busy: false },
      attach: () => {
        throw broken
      },
      fail: error => {
        told.push(error)
        live.recording = null
      },
    }
    live.recording = recording as unknown as Recording
    const result = wrap(fn as (n: number) => unknown, 'f', {})(1)
    expect(typeof result === 'number' ? result : [...(result as Generator<number>)]).toEqual(
      typeof result === 'number' ? 2 : [2],
    )
    expect(told).toEqual([broken])
  })
})
