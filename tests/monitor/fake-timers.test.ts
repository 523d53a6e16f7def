import { setTimeout as realPause } from 'node:timers/promises'
import { configure, flush, health, monitor, shutdown } from 'callsight'
import { afterAll, afterEach, expect, it, vi } from 'vitest'
import { LaneF64 } from '../../lib/queue/layout.js'
import { Place } from './fixtures.js'

const place = new Place()
configure({ store: { path: place.store }, stalls: { threshold: 200 } })
const pause = realPause
afterEach(() => vi.useRealTimers())
afterAll(async () => {
  await shutdown()
  place.dispose()
})

it('fake timers of a test framework do not make the event loop look stuck', async () => {
  const work = monitor((n: number) => n)
  vi.useFakeTimers({ toFake: Object.keys(globals) as (keyof typeof globals)[] })
  // Recording begins here, in a test that has faked what it could.
  work(0)
  for (let n = 1; n <= 10; n++) {
    work(n)
    await pause(100)
  }
  // A minute of looks at the writer in one step, in which it can do nothing.
  vi.advanceTimersByTime(60_000)
  expect(health()).toMatchObject({ state: 'recording', reason: null })
  vi.useRealTimers()
  await flush()
  expect(place.rows('SELECT * FROM stalls')).toEqual([])
  expect(health().stalls).toEqual({ count: 0, totalMs: 0, currentMs: 0 })
})

it('timers that were fake before it was loaded are not relied on', async () => {
  vi.resetModules()
  const fake = vi.fn(() => ({ unref: () => {} }))
  vi.doMock('node:timers', () => ({
    setInterval: Object.assign(fake, { clock: {} }),
    clearInterval: () => {},
  }))
  const { beat } = await import('../../lib/queue/loop-beat.js')
  const words = new Float64Array(64)
  beat(words, 200, () => {})()
  expect(words[LaneF64.LOOP_BEAT_MS]).toBe(0)
  expect(fake).not.toHaveBeenCalled()
})

it.each(['before it is loaded', 'before the first call', 'after the first call'])(
  'timers that the test runner of Node fakes %s: no stall is seen in a loop that turns',
  async moment => {
    const scene = new Place()
    try {
      const ended = await scene.run('standard', 'mocked-timers', [moment])
      expect(ended).toMatchObject({ code: 0, stdout: '{"count":0,"totalMs":0,"currentMs":0}' })
      expect(scene.rows('SELECT * FROM stalls')).toEqual([])
    } finally {
      scene.dispose()
    }
  },
)

/** What there is to be faked. */
const globals = {
  setTimeout,
  setInterval,
  setImmediate,
  clearTimeout,
  clearInterval,
  clearImmediate,
  performance,
  hrtime: process.hrtime,
  Date,
}
