import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MessageChannel } from 'node:worker_threads'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { DEFAULTS } from '../../lib/config/defaults.js'
import { readAccount } from '../../lib/queue/account.js'
import { takeAnchor } from '../../lib/queue/clock.js'
import { Control } from '../../lib/queue/control.js'
import { JOURNAL_FRAME_OFFSET, Journal } from '../../lib/queue/journal.js'
import { journalBufferBytes } from '../../lib/queue/journal-lane.js'
import { LaneF64 } from '../../lib/queue/layout.js'
import { newLaneMemory, type ProducedSite, Producer } from '../../lib/queue/producer.js'
import { Capture } from '../../lib/serialize/capture.js'
import { Redaction } from '../../lib/serialize/redaction.js'
import { Totals } from '../../lib/totals/totals.js'
import { Drain } from '../../lib/writer/drain.js'
import { incidentsOf } from '../support/disk.js'
import { readStore } from '../support/store-account.js'

/** The writer's clock stands still here, so that nothing is looked at a second time. */
const clock = vi.hoisted(() => ({ ms: 1e6, onLook: () => {} }))
vi.mock('../../lib/queue/clock.js', async original => ({
  ...(await original<typeof import('../../lib/queue/clock.js')>()),
  monotonicMs: () => {
    clock.onLook()
    return clock.ms
  },
}))

const BOOT = '0123456789abcdef'
const RING_BYTES = 64 * 1024
/** A writer that never gets over it has to end too: its loop does not return to the event loop. */
const PATIENCE_MS = 20_000
const { limits } = DEFAULTS
let folder: string
let store: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'callsight-damaged-'))
  store = join(folder, 'calls.db')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function recorder(control: Control) {
  const memory = newLaneMemory(RING_BYTES, Date.now() * 1000)
  const totals = new Totals(2)
  const journal = new Journal(
    store,
    { boot: BOOT, ring: 0, pid: process.pid, startTicks: 0, originUnixUs: Date.now() * 1000 },
    site => totals.name(site),
    journalBufferBytes(limits.bytes, limits.stackLength) + JOURNAL_FRAME_OFFSET,
  )
  const producer = new Producer({
    memory,
    ringBytes: RING_BYTES,
    control: control.memory,
    journal,
    totals,
    capture: new Capture(limits),
    groupBytes: limits.bytes,
    remoteIds: () => null,
    fullErrorsPerSecond: 1e9,
  })
  const site: ProducedSite = {
    id: totals.register('f'),
    captureArgs: true,
    captureResult: true,
    redaction: Redaction.compile({}),
    costly: new Set(),
  }
  let made = 0
  return {
    handle: { ring: 0, memory, ringBytes: RING_BYTES, totals: totals.memory, storePath: store, thread: null },
    f64: new Float64Array(memory),
    fail(times: number): void {
      for (let n = 0; n < times; n++) {
        made++
        const facts = { startMs: 1, durationMs: 1, call: made, trace: made, parent: 0, flags: 0 }
        producer.recordError(site, facts, -1, null, [made], new Error(`number ${made} is refused`), 1)
      }
    },
  }
}

/** One page that is needed for every error, and that nobody reads when the store is opened. */
function damageIndex(): void {
  const db = new Database(store)
  // Nobody has the pages in memory from here on.
  db.pragma('wal_checkpoint(TRUNCATE)')
  const root = db
    .prepare(`SELECT rootpage FROM sqlite_schema WHERE name = 'errors_fingerprint'`)
    .pluck()
    .get() as number
  db.close()
  const file = openSync(store, 'r+')
  writeSync(file, Buffer.alloc(4096, 0xa5), 0, 4096, (root - 1) * 4096)
  closeSync(file)
}

const aside = (): string[] => readdirSync(folder).filter(name => name.includes('.corrupt-'))

describe('a store that turns out to be damaged in the middle of work', () => {
  it('is set aside although it opens well, and the errors of the last second are stored again', () => {
    const control = new Control()
    const { port1, port2 } = new MessageChannel()
    const { handle, f64, fail } = recorder(control)
    const warnings: string[] = []
    const stored = (): number => f64[LaneF64.ERRORS_REPLAYED] ?? 0
    let looks = 0
    const steps: (readonly [() => boolean, () => void])[] = [
      // The store is confirmed after the first batch, and not again while the clock stands still.
      [() => stored() === 2 && ++looks > 20, () => fail(3)],
      [
        () => stored() === 5,
        () => {
          damageIndex()
          fail(1)
        },
      ],
      [() => aside().length > 0 && stored() === 6, () => control.requestStop('shutdown')],
    ]
    const startedMs = performance.now()
    clock.onLook = () => {
      if (performance.now() - startedMs > PATIENCE_MS) control.requestStop('shutdown')
      const [step] = steps
      if (step?.[0]() !== true) return
      steps.shift()
      step[1]()
    }
    fail(2)
    const { retentionMs, maxBytes, sweepIntervalMs, breaker, stallThresholdMs } = DEFAULTS
    const task = {
      control: control.memory,
      lanes: [handle],
      shelved: [],
      inbox: port2,
      boot: BOOT,
      anchor: { ...takeAnchor(), monotonicMs: clock.ms },
      process: { pid: process.pid, script: '', host: '', nodeVersion: '', version: '', startTicks: 0 },
      settings: {
        storePath: store,
        retentionMs,
        maxBytes,
        sweepIntervalMs,
        drainIntervalMs: 1,
        breaker,
        stallThresholdMs,
      },
    }
    new Drain(task, control, said => {
      if (said.type === 'warning') warnings.push(said.code)
    }).run()
    port1.close()
    expect(steps, 'all of it has happened').toEqual([])
    const account = readStore(store)
    expect(account.integrity).toBe('ok')
    expect([...account.errors].sort((a, b) => a - b)).toEqual([3, 4, 5, 6])
    expect(readAccount(f64, control.f64)).toMatchObject({ balanced: true, errors: { stored: 6 } })
    expect(warnings).toEqual(['CALLSIGHT_STORE_SET_ASIDE'])
    expect(incidentsOf(store, 'store_set_aside')).toMatchObject([{ detail: join(folder, aside()[0] ?? '') }])
  })
})
