import vm from 'node:vm'
import { describe, expect, it } from 'vitest'
import { BreakerOpenError, CircuitBreaker } from '../../lib/breaker/circuit-breaker.js'

const FAILURE = new Error('refused by the disk')

function openBreaker() {
  const breaker = new CircuitBreaker({ now: () => 0 })
  for (let n = 0; n < 3; n++) breaker.tryAcquire()!.fail()
  return breaker
}

describe('sync work', () => {
  it('returns its value at once', () => {
    const result = { rows: 3 }
    expect(new CircuitBreaker().run(() => result)).toBe(result)
  })

  it('throws its own error at once and counts it', () => {
    const breaker = new CircuitBreaker()
    for (let n = 0; n < 3; n++) {
      expect(() =>
        breaker.run(() => {
          throw FAILURE
        }),
      ).toThrow(FAILURE)
    }
    expect(breaker.state.kind).toBe('open')
    expect(() => breaker.run(() => 1)).toThrow(BreakerOpenError)
  })

  it.each([undefined, null, 0, '', Symbol('s'), 1n])('takes %s for a result or an error', value => {
    const breaker = new CircuitBreaker()
    expect(breaker.run(() => value)).toBe(value)
    let caught: unknown = FAILURE
    try {
      breaker.run(() => {
        throw value
      })
    } catch (error) {
      caught = error
    }
    expect(caught).toBe(value)
    expect(breaker.state).toEqual({ kind: 'closed', failures: 1 })
  })
})

describe('async work', () => {
  it('is guarded until its promise settles', async () => {
    const breaker = new CircuitBreaker({ failureThreshold: 1 })
    let fail: (reason: unknown) => void = () => {}
    const running = breaker.run(
      () =>
        new Promise((_, reject) => {
          fail = reject
        }),
    )
    expect(breaker.state).toEqual({ kind: 'closed', failures: 0 })
    fail(FAILURE)
    await expect(running).rejects.toBe(FAILURE)
    expect(breaker.state.kind).toBe('open')
  })

  it('closes the circuit when the probe fulfils, not when it starts', async () => {
    const clock = { nowMs: 0 }
    const breaker = new CircuitBreaker({ now: () => clock.nowMs })
    for (let n = 0; n < 3; n++)
      await breaker
        .run(async () => {
          throw FAILURE
        })
        .catch(() => {})
    clock.nowMs = 30_000
    const probe = breaker.run(async () => 'rows')
    expect(breaker.state.kind).toBe('halfOpen')
    await expect(breaker.run(async () => 'second')).rejects.toThrow(BreakerOpenError)
    expect(await probe).toBe('rows')
    expect(breaker.state.kind).toBe('closed')
  })

  it('refuses an async function by a rejection and any other function by a throw', async () => {
    const refused: unknown = openBreaker().run(async () => 1)
    expect(refused).toBeInstanceOf(Promise)
    await expect(refused).rejects.toThrow('Circuit breaker OPEN - 30.0s until retry')
    expect(() => openBreaker().run(() => Promise.resolve(1))).toThrow(BreakerOpenError)
  })

  it('keeps a throw before the first promise synchronous', () => {
    const work = (): Promise<number> => {
      throw FAILURE
    }
    expect(() => new CircuitBreaker().run(work)).toThrow(FAILURE)
  })

  it('derives from a native promise once', async () => {
    class Watched extends Promise<unknown> {
      static derivations = 0
      // biome-ignore lint/suspicious/noThenProperty: the number of calls is what is tested
      override then<A = unknown, B = never>(
        ok?: ((value: unknown) => A | PromiseLike<A>) | null,
        err?: ((reason: unknown) => B | PromiseLike<B>) | null,
      ): Promise<A | B> {
        Watched.derivations++
        return super.then(ok, err)
      }
    }
    const result = new CircuitBreaker().run(() => new Watched(resolve => resolve('kept')))
    expect(Watched.derivations).toBe(1)
    expect(result).toBeInstanceOf(Watched)
    expect(await result).toBe('kept')
  })

  it('knows a promise of another realm', async () => {
    const breaker = new CircuitBreaker({ failureThreshold: 1 })
    const foreign = vm.runInNewContext('() => Promise.reject(7)') as () => Promise<unknown>
    await expect(breaker.run(() => foreign())).rejects.toBe(7)
    expect(breaker.state.kind).toBe('open')
  })

  it('starts a lazy thenable exactly once and guards it', async () => {
    const breaker = new CircuitBreaker({ failureThreshold: 1 })
    let started = 0
    let read = 0
    const query = {
      // biome-ignore lint/suspicious/noThenProperty: a lazy query builder looks like this
      get then() {
        read++
        return (_: unknown, reject: (reason: unknown) => void) => {
          started++
          reject(FAILURE)
        }
      },
    }
    await expect(breaker.run<unknown>(() => query)).rejects.toBe(FAILURE)
    expect([started, read]).toEqual([1, 1])
    expect(breaker.state.kind).toBe('open')
  })

  it('leaves results whose then is no function alone', () => {
    // biome-ignore lint/suspicious/noThenProperty: hostile result
    const result = { then: 5 }
    expect(new CircuitBreaker().run(() => result)).toBe(result)
  })

  it('ignores the result of a call that outlived the opening', async () => {
    const clock = { nowMs: 0 }
    const breaker = new CircuitBreaker({ now: () => clock.nowMs })
    let finish: (value: string) => void = () => {}
    const slow = breaker.run(
      () =>
        new Promise<string>(resolve => {
          finish = resolve
        }),
    )
    for (let n = 0; n < 3; n++) breaker.tryAcquire()!.fail()
    clock.nowMs = 30_000
    breaker.tryAcquire()
    finish('late')
    expect(await slow).toBe('late')
    expect(breaker.state.kind).toBe('halfOpen')
  })
})

describe('rejections', () => {
  it('reach the process once when the caller ignores them and stay silent when it handles them', async () => {
    const seen: unknown[] = []
    const before = process.listeners('unhandledRejection')
    process.removeAllListeners('unhandledRejection')
    process.on('unhandledRejection', reason => seen.push(reason))
    try {
      const breaker = new CircuitBreaker()
      breaker
        .run(async () => {
          throw FAILURE
        })
        .catch(() => {})
      void breaker.run(async () => {
        throw FAILURE
      })
      await new Promise(resolve => setTimeout(resolve, 20))
    } finally {
      process.removeAllListeners('unhandledRejection')
      for (const listener of before) process.on('unhandledRejection', listener)
    }
    expect(seen).toEqual([FAILURE])
  })
})
