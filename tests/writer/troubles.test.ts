import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DEFAULTS } from '../../lib/config/defaults.js'
import { degradation } from '../../lib/health.js'
import { anchoredClock, takeAnchor } from '../../lib/queue/clock.js'
import { Control } from '../../lib/queue/control.js'
import { ControlI32, DROP_WORDS_PER_LANE, Drop, Lane, LaneF64 } from '../../lib/queue/layout.js'
import { STORE_FAILURES } from '../../lib/store/errors.js'
import type { Lanes } from '../../lib/writer/lanes.js'
import type { WriterWarning } from '../../lib/writer/messages.js'
import { Troubles } from '../../lib/writer/troubles.js'

const { retentionMs, maxBytes, sweepIntervalMs, breaker, stallThresholdMs, drainIntervalMs } = DEFAULTS
const JOURNAL_FULL = LaneF64.PRODUCER_DROPS + Lane.errors * DROP_WORDS_PER_LANE + Drop.journalFull

let folder: string
let messages: WriterWarning[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'callsight-troubles-'))
  messages = []
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function troubles(name: string, before: Iterable<Float64Array> = []): Troubles {
  const settings = {
    storePath: join(folder, name),
    retentionMs,
    maxBytes,
    sweepIntervalMs,
    breaker,
    stallThresholdMs,
    drainIntervalMs,
  }
  return new Troubles(settings, anchoredClock(takeAnchor()), message => messages.push(message), before)
}

describe('errors that were dropped because the journals were full', () => {
  const f64 = new Float64Array(128)
  const lanes = [{ lane: { f64 } }] as unknown as Lanes

  it('are said once, also when the writer is started again later', () => {
    f64[JOURNAL_FULL] = 7
    troubles('calls.db').watch(lanes)
    expect(messages).toHaveLength(1)
    const later = troubles('calls.db', [f64])
    later.watch(lanes)
    expect(messages).toHaveLength(1)
    expect(later.incidents.isOpen('journal_full')).toBe(false)
    f64[JOURNAL_FULL] = 8
    later.watch(lanes)
    expect(messages).toHaveLength(2)
  })
})

describe('a full disk', () => {
  it('is over with the next batch when something stands in the place of the reserve', () => {
    mkdirSync(join(folder, 'calls.db.reserve'))
    const both = troubles('calls.db')
    both.diskFull()
    both.tend(0)
    expect(both.incidents.isOpen('disk_full')).toBe(true)
    both.recovered()
    expect(both.incidents.isOpen('disk_full')).toBe(false)
  })

  it('else goes on until the reserve is there again', () => {
    const one = troubles('calls.db')
    one.tend(0)
    expect(one.diskFull(), 'it gave the reserve').toBe(true)
    one.recovered()
    expect(one.incidents.isOpen('disk_full')).toBe(true)
    one.tend(1)
    expect(one.incidents.isOpen('disk_full')).toBe(false)
  })
})

describe('a store that fails', () => {
  const failed = (name: string): string => {
    troubles(name).failed(new Error('it fails.'), 1_000)
    expect(readdirSync(folder), 'nothing is left of the try').toEqual([])
    return messages.map(({ code }) => code).join()
  }

  it('has journals beside it', () => {
    expect(failed('calls.db')).toBe('CALLSIGHT_STORE_FAILING')
  })

  it('has none when its name is so long that theirs do not fit', () => {
    expect(failed(`${'c'.repeat(220)}.db`)).toBe('CALLSIGHT_MEMORY_ONLY')
  })

  it('is told by health() with its failure', () => {
    const control = new Control()
    control.setWriterState('running')
    Atomics.store(control.i32, ControlI32.BREAKER_STATE, 1)
    const reasons = ['', ...STORE_FAILURES].map((_, code) => {
      Atomics.store(control.i32, ControlI32.STORE_FAILURE, code)
      return degradation(control).reason ?? ''
    })
    expect(new Set(reasons).size).toBe(1 + STORE_FAILURES.length)
    for (const reason of reasons) expect(reason).toMatch(/^the circuit breaker of the store is open/)
    expect(reasons[1 + STORE_FAILURES.indexOf('full')]).toMatch(/: the disk is full$/)
  })
})
