import { existsSync, mkdtempSync, rmSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { resolveSettings } from '../../lib/config/resolve.js'
import { takeAnchor } from '../../lib/queue/clock.js'
import { Control } from '../../lib/queue/control.js'
import { journalPath } from '../../lib/queue/journal-format.js'
import { RecordingLane } from '../../lib/threads/recording-lane.js'
import { rescueRings } from '../../lib/writer/ring-rescue.js'
import { readStore } from '../support/store-account.js'
import { clock } from '../support/writer-clock.js'
import { runWriter } from '../support/writer-scene.js'

const THEIRS = 'fedcba9876543210'
const OURS = '0123456789abcdef'

vi.mock('../../lib/queue/clock.js', async original =>
  (await import('../support/writer-clock.js')).movedClock(await original()),
)
/** The journal says that its owner ran under another kernel. */
vi.mock('../../lib/queue/process-identity.js', async original => ({
  ...(await original<typeof import('../../lib/queue/process-identity.js')>()),
  pidSpace: () => ({ kernel: 1, namespace: 1 }),
}))

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'callsight-later-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

it('a journal whose owner may live is looked at again, and taken over when it has been silent for long', () => {
  const path = join(folder, 'calls.db')
  const { settings } = resolveSettings({ store: { path } })
  const owner = (boot: string) => ({ boot, control: new Control(), anchor: takeAnchor() })
  const left = new RecordingLane(settings, owner(THEIRS), null)
  const site = left.totals.register('left')
  for (let n = 0; n < 5; n++) {
    left.producer.recordHeader(site, { flags: 0, startMs: 1, durationMs: 1, call: 1, trace: 1, parent: 0 })
  }
  rescueRings(THEIRS, [left.handle], 60_000)
  const journal = journalPath(path, THEIRS, left.handle.ring, 1_001)
  expect(existsSync(journal)).toBe(true)

  const ours = owner(OURS)
  let looks = 0
  clock.onLook = () => {
    looks++
    if (looks === 200) {
      expect(existsSync(journal)).toBe(true)
      const then = new Date(Date.now() - 600_000)
      utimesSync(journal, then, then)
    }
    // Not before a minute is over.
    if (looks === 400) {
      expect(existsSync(journal)).toBe(true)
      clock.aheadMs += 61_000
    }
    if (looks > 400 && !existsSync(journal)) ours.control.requestStop('shutdown')
    if (looks > 20_000) throw new Error('it is not taken over')
  }
  const lane = new RecordingLane(settings, ours, null)
  lane.producer.recordHeader(lane.totals.register('ours'), {
    flags: 0,
    startMs: 1,
    durationMs: 1,
    call: 1,
    trace: 1,
    parent: 0,
  })
  const { control, anchor } = ours
  runWriter({ storePath: path, control, lanes: [lane.handle], boot: OURS, anchor })
  expect(ours.control.writerState).toBe('stopped')
  const theirs = readStore(path).lanes.filter(({ boot, lane: which }) => boot === THEIRS && which === 0)
  expect(theirs).toMatchObject([{ produced: 5, stored: 5 }])
})
