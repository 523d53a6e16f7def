import { describe, expect, it } from 'vitest'
import {
  BreakerOpenError,
  type BreakerOptions,
  BreakerStateCode,
  CircuitBreaker,
} from '../../lib/breaker/circuit-breaker.js'

function breakerAt(startMs = 1_000, options: BreakerOptions = {}) {
  const clock = { nowMs: startMs }
  const seen: string[] = []
  const all = {
    now: () => clock.nowMs,
    onTransition: (state: { kind: string }) => seen.push(state.kind),
    ...options,
  }
  const breaker = new CircuitBreaker(all)
  return { breaker, clock, seen, options: all }
}

function failTimes(breaker: CircuitBreaker, times: number) {
  for (let n = 0; n < times; n++) breaker.tryAcquire()!.fail()
}

describe('closed', () => {
  it('lets attempts through and counts failures in a row', () => {
    const { breaker } = breakerAt()
    failTimes(breaker, 2)
    expect(breaker.state).toEqual({ kind: 'closed', failures: 2 })
    expect(breaker.retryInMs).toBe(0)
  })

  it('starts counting again after a success', () => {
    const { breaker } = breakerAt()
    failTimes(breaker, 2)
    breaker.tryAcquire()!.succeed()
    failTimes(breaker, 2)
    expect(breaker.state).toEqual({ kind: 'closed', failures: 2 })
  })

  it('opens at the third failure in a row, at the time of that failure', () => {
    const { breaker, clock, seen } = breakerAt(5_000)
    const last = breaker.tryAcquire()!
    failTimes(breaker, 2)
    clock.nowMs = 5_250
    last.fail()
    expect(breaker.state).toEqual({ kind: 'open', openedAtMs: 5_250 })
    expect(seen).toEqual(['open'])
  })

  it('counts an attempt once however often its ticket is used', () => {
    const { breaker } = breakerAt()
    const attempt = breaker.tryAcquire()!
    attempt.fail()
    attempt.fail()
    attempt.succeed()
    expect(breaker.state).toEqual({ kind: 'closed', failures: 1 })
  })
})

describe('open', () => {
  it('refuses until the timeout is over, and tells how long', () => {
    const { breaker, clock } = breakerAt(1_000)
    failTimes(breaker, 3)
    expect(breaker.retryInMs).toBe(30_000)
    clock.nowMs += 4_700
    expect(breaker.tryAcquire()).toBeNull()
    expect(breaker.retryInMs).toBe(25_300)
    clock.nowMs = 30_999
    expect(breaker.tryAcquire()).toBeNull()
    expect(breaker.retryInMs).toBe(1)
  })

  it('rejects with exactly the promised error', () => {
    const { breaker, clock } = breakerAt()
    failTimes(breaker, 3)
    clock.nowMs += 4_700
    let ran = false
    const thrown = catching(() => breaker.run(() => (ran = true)))
    expect(ran).toBe(false)
    expect(thrown).toBeInstanceOf(BreakerOpenError)
    expect(thrown).toMatchObject({
      name: 'BreakerOpenError',
      code: 'CALLSIGHT_BREAKER_OPEN',
      message: 'Circuit breaker OPEN - 25.3s until retry',
      retryInMs: 25_300,
    })
  })

  it('stays open however much time passes while nobody tries', () => {
    const { breaker, clock, seen } = breakerAt()
    failTimes(breaker, 3)
    clock.nowMs += 86_400_000
    expect(breaker.state.kind).toBe('open')
    expect(breaker.retryInMs).toBe(0)
    expect(breaker.state.kind).toBe('open')
    expect(seen).toEqual(['open'])
  })
})

describe('half-open', () => {
  it('begins with the first attempt at or after the timeout', () => {
    const { breaker, clock } = breakerAt(0)
    failTimes(breaker, 3)
    clock.nowMs = 30_000
    expect(breaker.tryAcquire()).not.toBeNull()
    expect(breaker.state).toEqual({ kind: 'halfOpen', successes: 0, probingSinceMs: 30_000 })
  })

  it('closes after a successful probe and forgets the old failures', () => {
    const { breaker, clock, seen } = breakerAt()
    failTimes(breaker, 3)
    clock.nowMs += 30_000
    breaker.tryAcquire()!.succeed()
    failTimes(breaker, 2)
    expect(breaker.state).toEqual({ kind: 'closed', failures: 2 })
    expect(seen).toEqual(['open', 'halfOpen', 'closed'])
  })

  it('opens for the whole timeout again after a failed probe', () => {
    const { breaker, clock } = breakerAt(0)
    failTimes(breaker, 3)
    clock.nowMs = 40_000
    const probe = breaker.tryAcquire()!
    clock.nowMs = 41_000
    probe.fail()
    expect(breaker.state).toEqual({ kind: 'open', openedAtMs: 41_000 })
    clock.nowMs = 70_999
    expect(breaker.tryAcquire()).toBeNull()
  })

  it('lets one probe out at a time', () => {
    const { breaker, clock } = breakerAt(0, { successThreshold: 2 })
    failTimes(breaker, 3)
    clock.nowMs = 30_000
    const first = breaker.tryAcquire()!
    expect(breaker.tryAcquire()).toBeNull()
    expect(catching(() => breaker.run(() => 1))).toMatchObject({
      code: 'CALLSIGHT_BREAKER_OPEN',
      message: 'Circuit breaker OPEN - 0.0s until retry',
    })
    first.succeed()
    expect(breaker.state).toEqual({ kind: 'halfOpen', successes: 1, probingSinceMs: null })
    const second = breaker.tryAcquire()!
    expect(breaker.tryAcquire()).toBeNull()
    first.succeed()
    expect(breaker.state.kind).toBe('halfOpen')
    second.succeed()
    expect(breaker.state).toEqual({ kind: 'closed', failures: 0 })
  })

  it('counts a probe that never comes back as failed when its time is up', () => {
    const { breaker, clock } = breakerAt(0, { probeTimeoutMs: 5_000 })
    failTimes(breaker, 3)
    clock.nowMs = 30_000
    const lost = breaker.tryAcquire()!
    clock.nowMs = 34_999
    expect(breaker.tryAcquire()).toBeNull()
    expect(breaker.state.kind).toBe('halfOpen')
    clock.nowMs = 35_000
    expect(breaker.tryAcquire()).toBeNull()
    expect(breaker.state).toEqual({ kind: 'open', openedAtMs: 35_000 })
    clock.nowMs = 65_000
    const next = breaker.tryAcquire()!
    lost.succeed()
    expect(breaker.state.kind).toBe('halfOpen')
    next.succeed()
    expect(breaker.state.kind).toBe('closed')
  })
})

describe('late results', () => {
  it.each(['succeed', 'fail'] as const)('%s of a call from before the opening moves nothing', outcome => {
    const { breaker, clock } = breakerAt(0)
    const whileOpen = breaker.tryAcquire()!
    const whileProbing = breaker.tryAcquire()!
    const afterClosing = breaker.tryAcquire()!
    failTimes(breaker, 3)
    whileOpen[outcome]()
    expect(breaker.state).toEqual({ kind: 'open', openedAtMs: 0 })
    clock.nowMs = 30_000
    const probe = breaker.tryAcquire()!
    whileProbing[outcome]()
    expect(breaker.state).toEqual({ kind: 'halfOpen', successes: 0, probingSinceMs: 30_000 })
    probe.succeed()
    failTimes(breaker, 2)
    afterClosing[outcome]()
    expect(breaker.state).toEqual({ kind: 'closed', failures: 2 })
  })
})

describe('clocks', () => {
  it('bears a jump forward of years', () => {
    const { breaker, clock } = breakerAt(0)
    failTimes(breaker, 3)
    clock.nowMs = 1e12
    breaker.tryAcquire()!.fail()
    expect(breaker.state).toEqual({ kind: 'open', openedAtMs: 1e12 })
    expect(breaker.retryInMs).toBe(30_000)
  })

  it('waits one timeout at most when the clock goes back', () => {
    const { breaker, clock } = breakerAt(1e9)
    failTimes(breaker, 3)
    clock.nowMs = 0
    expect(breaker.retryInMs).toBe(30_000)
    expect(breaker.tryAcquire()).toBeNull()
    clock.nowMs = 30_000
    expect(breaker.tryAcquire()).not.toBeNull()
  })

  it('runs on the monotonic clock of the process by default', () => {
    const breaker = new CircuitBreaker({ failureThreshold: 1 })
    const beforeMs = performance.now()
    failTimes(breaker, 1)
    const state = breaker.state
    expect(
      state.kind === 'open' && state.openedAtMs >= beforeMs && state.openedAtMs <= performance.now(),
    ).toBe(true)
  })
})

describe('listeners', () => {
  it('cannot replace the outcome of the work or stop the breaker by throwing', () => {
    const broken = {
      onTransition: () => {
        throw new Error('listener')
      },
      failureThreshold: 1,
    }
    const { breaker } = breakerAt(0, broken)
    expect(() =>
      breaker.run(() => {
        throw new Error('work')
      }),
    ).toThrow('work')
    expect(breaker.state.kind).toBe('open')
  })

  it('see the new state and may try at once without getting a second probe', () => {
    const clock = { nowMs: 0 }
    const inside: boolean[] = []
    const breaker: CircuitBreaker = new CircuitBreaker({
      now: () => clock.nowMs,
      onTransition: state => {
        if (state.kind === 'halfOpen') inside.push(breaker.tryAcquire() === null)
        expect(breaker.state).toBe(state)
      },
    })
    failTimes(breaker, 3)
    clock.nowMs = 30_000
    breaker.tryAcquire()!.succeed()
    expect(inside).toEqual([true])
    expect(breaker.state.kind).toBe('closed')
  })
})

describe('snapshot and restore', () => {
  it('keeps the failures of a closed breaker', () => {
    const { breaker, options } = breakerAt()
    failTimes(breaker, 2)
    const restored = CircuitBreaker.restore(breaker.snapshot(), options)
    failTimes(restored, 1)
    expect(restored.state.kind).toBe('open')
  })

  it('keeps the rest of the time of an open breaker, also when it opened at 0', () => {
    const { breaker, clock, options } = breakerAt(0)
    failTimes(breaker, 3)
    expect(breaker.snapshot()).toEqual({
      state: BreakerStateCode.open,
      failures: 0,
      successes: 0,
      openedAtMs: 0,
    })
    clock.nowMs = 20_000
    expect(CircuitBreaker.restore(breaker.snapshot(), options).retryInMs).toBe(10_000)
  })

  it('counts the death of the owner in half-open as a failure', () => {
    const { breaker, clock, options } = breakerAt(0)
    failTimes(breaker, 3)
    clock.nowMs = 30_000
    breaker.tryAcquire()
    clock.nowMs = 31_000
    const restored = CircuitBreaker.restore(breaker.snapshot(), options)
    expect(restored.state).toEqual({ kind: 'open', openedAtMs: 31_000 })
  })

  it('is plain numbers', () => {
    const { breaker } = breakerAt()
    expect(Object.values(breaker.snapshot()).every(Number.isFinite)).toBe(true)
    expect(BreakerStateCode).toEqual({ closed: 0, open: 1, halfOpen: 2 })
  })

  it.each([
    [{ state: 1, failures: 0, successes: 0, openedAtMs: Number.NaN }],
    [{ state: 1, failures: 0, successes: 0, openedAtMs: 1e300 }],
    [{ state: 0, failures: Number.NaN, successes: -1, openedAtMs: 0 }],
    [{ state: 7 as 0, failures: -5, successes: 0, openedAtMs: 0 }],
  ] as const)('is never stuck after damaged memory: %o', snapshot => {
    const { clock, options } = breakerAt(500)
    const restored = CircuitBreaker.restore(snapshot, options)
    expect(restored.retryInMs).toBe(restored.state.kind === 'open' ? 30_000 : 0)
    clock.nowMs += 30_000
    const attempt = restored.tryAcquire()
    expect(attempt).not.toBeNull()
    attempt!.succeed()
    expect(restored.state).toEqual({ kind: 'closed', failures: 0 })
  })
})

describe('options', () => {
  it.each([
    [{ failureThreshold: 0 }],
    [{ failureThreshold: 1.5 }],
    [{ successThreshold: Number.NaN }],
    [{ resetTimeoutMs: -1 }],
    [{ resetTimeoutMs: Number.POSITIVE_INFINITY }],
    [{ probeTimeoutMs: Number.NaN }],
  ])('refuses %o', options => {
    expect(() => new CircuitBreaker(options)).toThrow(RangeError)
    expect(() => new CircuitBreaker(options)).toThrow(Object.keys(options)[0]!)
  })
})

function catching(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}
