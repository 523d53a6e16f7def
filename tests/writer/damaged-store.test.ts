import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { readAccount } from '../../lib/queue/account.js'
import { takeAnchor } from '../../lib/queue/clock.js'
import { Control } from '../../lib/queue/control.js'
import { LaneF64 } from '../../lib/queue/layout.js'
import { incidentsOf } from '../support/disk.js'
import { readStore } from '../support/store-account.js'
import { clock, script } from '../support/writer-clock.js'
import { recordingThread, runWriter } from '../support/writer-scene.js'

vi.mock('../../lib/queue/clock.js', async original =>
  (await import('../support/writer-clock.js')).movedClock(await original()),
)

/** The writer's clock stands still here, so that nothing is looked at a second time. */
const STANDS_AT_MS = 1e6
/** A writer that never gets over it has to end too: its loop does not return to the event loop. */
const PATIENCE_MS = 20_000
let folder: string
let store: string
beforeEach(() => {
  clock.standsAtMs = STANDS_AT_MS
  folder = mkdtempSync(join(tmpdir(), 'callsight-damaged-'))
  store = join(folder, 'calls.db')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

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
    const { handle, f64, fail } = recordingThread({ storePath: store, control })
    const failTimes = (times: number): void => {
      for (let n = 0; n < times; n++) fail()
    }
    const warnings: string[] = []
    const stored = (): number => f64[LaneF64.ERRORS_REPLAYED] ?? 0
    let looks = 0
    const steps = script(
      // The store is confirmed after the first batch, and not again while the clock stands still.
      [() => stored() === 2 && ++looks > 20, () => failTimes(3)],
      [
        () => stored() === 5,
        () => {
          damageIndex()
          fail()
        },
      ],
      [() => aside().length > 0 && stored() === 6, () => control.requestStop('shutdown')],
    )
    const { onLook } = clock
    const startedMs = performance.now()
    clock.onLook = () => {
      if (performance.now() - startedMs > PATIENCE_MS) control.requestStop('shutdown')
      onLook()
    }
    failTimes(2)
    runWriter({
      storePath: store,
      control,
      lanes: [handle],
      anchor: { ...takeAnchor(), monotonicMs: STANDS_AT_MS },
      post: said => {
        if (said.type === 'warning') warnings.push(said.code)
      },
    })
    expect(steps, 'all of it has happened').toEqual([])
    const account = readStore(store)
    expect(account.integrity).toBe('ok')
    expect([...account.errors].sort((a, b) => a - b)).toEqual([3, 4, 5, 6])
    expect(readAccount(f64, control.f64)).toMatchObject({ balanced: true, errors: { stored: 6 } })
    expect(warnings).toEqual(['CALLSIGHT_STORE_SET_ASIDE'])
    expect(incidentsOf(store, 'store_set_aside')).toMatchObject([{ detail: join(folder, aside()[0] ?? '') }])
  })
})
