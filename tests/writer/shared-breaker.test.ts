import { describe, expect, it } from 'vitest'
import { Control } from '../../lib/queue/control.js'
import { ControlF64 } from '../../lib/queue/layout.js'
import type { StoreWriter } from '../../lib/store/insert.js'
import { Incidents } from '../../lib/writer/incidents.js'
import { BreakerEpisodes, restoreBreaker } from '../../lib/writer/shared-breaker.js'

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

describe('times in which the breaker was open', () => {
  const opened = { kind: 'open', openedAtMs: 0 } as const
  const probed = { kind: 'halfOpen', successes: 1, probingSinceMs: null } as const
  const closed = { kind: 'closed', failures: 0 } as const

  function scene(control = new Control()) {
    const incidents = new Incidents()
    const clock = { us: 0, nowUs: () => ++clock.us }
    const rows: [string, number, number | null, string][] = []
    const store = {
      incident: (_: number, kind: string, startedUs: number, endedUs: number | null, detail: string) =>
        rows.push([kind, startedUs, endedUs, detail]),
    } as unknown as StoreWriter
    const write = () => {
      incidents.write(store, 1, 'file')
      incidents.commit()
      return rows
    }
    const told = () =>
      (['BREAKER_OPENINGS', 'BREAKER_OPENED_US', 'BREAKER_CLOSED_US'] as const).map(
        word => control.f64[ControlF64[word]],
      )
    return {
      control,
      incidents,
      clock,
      write,
      told,
      episodes: new BreakerEpisodes(control, clock, incidents),
    }
  }

  it('are one as long as it has not closed, whatever its probes did', () => {
    const { episodes, write, told } = scene()
    episodes.look(closed)
    expect([told(), write()]).toEqual([[0, 0, 0], []])
    episodes.look(opened, new Error('locked'))
    for (const state of [opened, probed, opened, probed]) episodes.look(state, new Error('later'))
    expect(told()).toEqual([1, 2, 0])
    episodes.look(closed)
    expect(told()).toEqual([1, 2, 3])
    episodes.look(opened, 'no error')
    expect(told()).toEqual([2, 4, 3])
    episodes.end()
    expect(write()).toEqual([
      ['breaker_open', 2, 3, 'locked'],
      ['breaker_open', 4, 5, 'no error'],
    ])
  })

  it('go on over the death of the writer thread, and are not counted again', () => {
    const first = scene()
    const breaker = restoreBreaker(first.control, OPTIONS)
    for (let failure = 0; failure < OPTIONS.failureThreshold; failure++) fail(breaker)
    first.episodes.look(breaker.state, new Error('locked'))
    const second = scene(first.control)
    second.clock.us = 100
    second.episodes.look(opened, new Error('still locked'))
    second.episodes.look(closed)
    expect(second.told()).toEqual([1, 1, 101])
    expect(second.write()).toEqual([['breaker_open', 1, 101, '']])
  })

  it('one that an earlier writer thread has left in the file ends with the next batch', () => {
    const { incidents, episodes, told } = scene()
    incidents.goOn('file', [{ id: 1, kind: 'breaker_open', detail: '', startedUs: 1 }])
    episodes.look(closed)
    expect(incidents.isOpen('breaker_open')).toBe(false)
    expect(told()).toEqual([0, 0, 0])
  })
})
