import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { resolveSettings } from '../../lib/config/resolve.js'
import { takeAnchor } from '../../lib/queue/clock.js'
import { Control } from '../../lib/queue/control.js'
import { RecordingLane } from '../../lib/threads/recording-lane.js'
import { LaneClosing } from '../../lib/writer/lane-closing.js'
import type { LaneSource, Lanes } from '../../lib/writer/lanes.js'
import type { Session } from '../../lib/writer/session.js'
import { MAX_WAITING_THREADS, Shelved } from '../../lib/writer/shelving.js'

it('a store that stays open forgets the lanes that are shelved meanwhile, so that their memory is let go', () => {
  const folder = mkdtempSync(join(tmpdir(), 'callsight-closing-'))
  try {
    const control = new Control()
    const { settings } = resolveSettings({ store: { path: join(folder, 'calls.db') } })
    const owner = { boot: 'fedcba9876543210', control, anchor: takeAnchor() }
    const ended = Array.from({ length: MAX_WAITING_THREADS + 2 }, () => {
      const { handle } = new RecordingLane({ ...settings, ringBytes: 64 * 1024 }, owner, null)
      return { handle, journal: { close: () => {} }, life: { presence: 'gone' } } as unknown as LaneSource
    })
    const [removed, forgotten]: [LaneSource[], LaneSource[]] = [[], []]
    const lanes = { departed: () => ended, remove: (source: LaneSource) => removed.push(source) }
    const session = { forget: (source: LaneSource) => forgotten.push(source) } as unknown as Session
    const shelved = new Shelved(control)
    const sessions = { current: session, open: () => session, confirm: () => true }
    const closing = new LaneClosing(lanes as unknown as Lanes, control, shelved, sessions)
    closing.shelve(owner.boot, 1)
    expect(removed).toEqual(ended.slice(0, 2))
    expect(forgotten).toEqual(removed)
    expect(shelved.rings).toEqual([ended[0]?.handle.ring])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
