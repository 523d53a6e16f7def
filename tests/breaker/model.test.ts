import { describe, expect, it } from 'vitest'
import { type Attempt, CircuitBreaker } from '../../lib/breaker/circuit-breaker.js'
import fc from '../support/fast-check.js'
import { injected } from '../support/figures.js'
import { givenSeed } from '../support/seed.js'

const STEPS_PER_RUN = 1_000
const RUNS = Number(process.env['CALLSIGHT_BREAKER_RUNS'] ?? 100)

/** The table of the breaker, told with a set of live calls instead of epochs. */
class Twin {
  mode: 'CLOSED' | 'OPEN' | 'HALF_OPEN' = 'CLOSED'
  failures = 0
  successes = 0
  openedAt = 0
  probe: { id: number; since: number } | null = null
  live = new Set<number>()
  limits: Limits
  constructor(limits: Limits) {
    this.limits = limits
  }

  attempt(id: number, now: number): boolean {
    if (this.mode === 'HALF_OPEN' && this.probe && now >= this.probe.since + this.limits.probe) {
      this.open(this.probe.since + this.limits.probe)
    }
    if (this.mode === 'OPEN') {
      if (now < this.openedAt + this.limits.reset) return false
      this.mode = 'HALF_OPEN'
      this.successes = 0
    }
    if (this.mode === 'HALF_OPEN') {
      if (this.probe) return false
      this.probe = { id, since: now }
    }
    this.live.add(id)
    return true
  }

  settle(id: number, good: boolean, now: number): void {
    if (!this.live.delete(id)) return
    if (this.mode === 'CLOSED') {
      this.failures = good ? 0 : this.failures + 1
      if (this.failures === this.limits.failures) this.open(now)
    } else {
      this.probe = null
      if (!good) this.open(now)
      else if (++this.successes === this.limits.successes) this.close()
    }
  }

  writerDies(now: number): void {
    if (this.mode === 'HALF_OPEN') this.open(now)
    this.live.clear()
  }

  open(at: number): void {
    this.mode = 'OPEN'
    this.openedAt = at
    this.failures = 0
    this.probe = null
    this.live.clear()
  }

  close(): void {
    this.mode = 'CLOSED'
    this.failures = 0
    this.live.clear()
  }

  view() {
    switch (this.mode) {
      case 'CLOSED':
        return { kind: 'closed', failures: this.failures }
      case 'OPEN':
        return { kind: 'open', openedAtMs: this.openedAt }
      case 'HALF_OPEN':
        return { kind: 'halfOpen', successes: this.successes, probingSinceMs: this.probe?.since ?? null }
    }
  }
}

interface Limits {
  readonly failures: number
  readonly successes: number
  readonly reset: number
  readonly probe: number
}

const limits = fc.record({
  failures: fc.integer({ min: 1, max: 4 }),
  successes: fc.integer({ min: 1, max: 3 }),
  reset: fc.integer({ min: 0, max: 50 }),
  probe: fc.integer({ min: 0, max: 80 }),
})
const event = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ kind: 'attempt' } as const) },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('settle' as const), pick: fc.nat(), good: fc.boolean() }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 40 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 1e9 }) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' } as const) },
)

describe('row 23: the breaker against a simple twin', () => {
  it(`agrees with a simple twin for ${STEPS_PER_RUN * RUNS} random events and is never stuck`, () => {
    const visited = new Set<string>()
    let steps = 0
    const history = fc.array(event, { minLength: STEPS_PER_RUN, maxLength: STEPS_PER_RUN, size: 'max' })
    fc.assert(
      fc.property(limits, history, (limit, events) => {
        let nowMs = 0
        const options = {
          failureThreshold: limit.failures,
          successThreshold: limit.successes,
          resetTimeoutMs: limit.reset,
          probeTimeoutMs: limit.probe,
          now: () => nowMs,
        }
        let breaker = new CircuitBreaker(options)
        const twin = new Twin(limit)
        const attempts: Attempt[] = []
        for (const happening of events) {
          steps++
          switch (happening.kind) {
            case 'attempt': {
              const attempt = breaker.tryAcquire()
              expect(attempt !== null).toBe(twin.attempt(attempts.length, nowMs))
              if (attempt !== null) attempts.push(attempt)
              break
            }
            case 'settle': {
              if (attempts.length === 0) break
              // Mostly among the newest, so that live calls are met; sometimes any old one, also a settled one.
              const back = happening.pick % 5 === 0 ? attempts.length : Math.min(6, attempts.length)
              const id = attempts.length - 1 - (happening.pick % back)
              attempts[id]![happening.good ? 'succeed' : 'fail']()
              twin.settle(id, happening.good, nowMs)
              break
            }
            case 'wait':
              nowMs += happening.ms
              break
            case 'restart':
              breaker = CircuitBreaker.restore(breaker.snapshot(), options)
              twin.writerDies(nowMs)
              break
          }
          if (JSON.stringify(breaker.state) !== JSON.stringify(twin.view()))
            expect(breaker.state).toEqual(twin.view())
          visited.add(twin.mode)
        }
        nowMs += limit.reset + limit.probe
        let rescued = breaker.tryAcquire() !== null
        nowMs += limit.reset
        rescued ||= breaker.tryAcquire() !== null
        expect(rescued).toBe(true)
      }),
      { numRuns: RUNS, ...givenSeed },
    )
    injected(steps)
    expect(steps).toBeGreaterThanOrEqual(STEPS_PER_RUN * RUNS)
    expect(visited).toEqual(new Set(['CLOSED', 'OPEN', 'HALF_OPEN']))
  }, 60_000)
})
