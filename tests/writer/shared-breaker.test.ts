import { describe, expect, it } from 'vitest'
import { Control } from '../../lib/queue/control.js'
import { restoreBreaker } from '../../lib/writer/shared-breaker.js'

const OPTIONS = { failureThreshold: 3, successThreshold: 1, resetTimeoutMs: 30_000, probeTimeoutMs: 10_000 }

function fail(breaker: ReturnType<typeof restoreBreaker>): void {
  breaker.tryAcquire()?.fail()
}

describe('the breaker in the control block', () => {
  it('a writer that is started again goes on with the breaker of the one before', () => {
    const control = new Control()
    const first = restoreBreaker(control, OPTIONS)
    for (let failure = 0; failure < OPTIONS.failureThreshold; failure++) fail(first)
    expect(first.state.kind).toBe('open')
    const second = restoreBreaker(control, OPTIONS)
    expect(second.state).toEqual(first.state)
    expect(second.tryAcquire()).toBeNull()
  })

  it('a new one is closed', () => {
    expect(restoreBreaker(new Control(), OPTIONS).state).toEqual({ kind: 'closed', failures: 0 })
  })
})
