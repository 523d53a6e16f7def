import { isAbsolute, join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { DEFAULTS } from '../../lib/config/defaults.js'
import { readEnvironment } from '../../lib/config/environment.js'
import type { CallsightOptions } from '../../lib/config/options.js'
import { resolveSettings, resolveSite } from '../../lib/config/resolve.js'
import { ConfigError } from '../../lib/config/validate.js'

const settingsOf = (options?: CallsightOptions, env: Record<string, string> = {}) =>
  resolveSettings(options, env).settings

describe('the environment', () => {
  it.each(['off', '0', 'false', 'no', 'OFF', 'No', ' off '])('CALLSIGHT=%s turns recording off', text => {
    expect(settingsOf({}, { CALLSIGHT: text }).enabled).toBe(false)
    expect(settingsOf({ enabled: true }, { CALLSIGHT: text }).enabled).toBe(false)
  })

  it.each(['on', '1', 'true', 'yes', 'YES'])('CALLSIGHT=%s leaves the last word to the options', text => {
    expect(settingsOf({}, { CALLSIGHT: text }).enabled).toBe(true)
    expect(settingsOf({ enabled: false }, { CALLSIGHT: text }).enabled).toBe(false)
  })

  it('moves the store and sets the rate, unless the options do', () => {
    const env = { CALLSIGHT_DB: '/data/a.db', CALLSIGHT_SAMPLE: '0.25' }
    expect(settingsOf({}, env)).toMatchObject({ storePath: '/data/a.db', site: { sample: 0.25 } })
    const options = { store: { path: '/data/b.db' }, sample: 0.5 }
    expect(settingsOf(options, env)).toMatchObject({ storePath: '/data/b.db', site: { sample: 0.5 } })
  })

  it.each([
    ['0', 0],
    ['1', 1],
    ['.5', 0.5],
    ['1.', 1],
    ['1e-3', 0.001],
    ['1.0', 1],
  ])('CALLSIGHT_SAMPLE=%s is %d', (text, rate) => {
    expect(readEnvironment({ CALLSIGHT_SAMPLE: text })).toMatchObject({ sample: rate, warnings: [] })
  })

  it.each([
    ['CALLSIGHT', 'offf'],
    ['CALLSIGHT', 'toString'],
    ['CALLSIGHT', '__proto__'],
    ['CALLSIGHT', '2'],
    ['CALLSIGHT_SAMPLE', '1.5'],
    ['CALLSIGHT_SAMPLE', '-0.1'],
    ['CALLSIGHT_SAMPLE', 'half'],
    ['CALLSIGHT_SAMPLE', '0x1'],
    ['CALLSIGHT_SAMPLE', 'NaN'],
    ['CALLSIGHT_SAMPLE', 'Infinity'],
    ['CALLSIGHT_SAMPLE', '1\n2'],
    ['CALLSIGHT_DB', ':memory:'],
    ['CALLSIGHT_DB', 'file:a.db?mode=ro'],
    ['CALLSIGHT_DB', 'x'.repeat(5_000)],
  ])('%s=%s is a warning, and the default stays', (name, text) => {
    const { settings, warnings } = resolveSettings({}, { [name]: text })
    expect(settings).toEqual(settingsOf())
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatch(
      new RegExp(`^Callsight: the environment variable ${name} must be .+, but is .+$`),
    )
  })

  it('counts empty variables as not set', () => {
    const { settings, warnings } = resolveSettings(
      {},
      { CALLSIGHT: '', CALLSIGHT_DB: ' ', CALLSIGHT_SAMPLE: '' },
    )
    expect(settings).toEqual(settingsOf())
    expect(warnings).toEqual([])
  })
})

describe('settings', () => {
  it('are the defaults when nothing is said, with an absolute path', () => {
    const settings = settingsOf()
    expect(settings).toEqual({ ...DEFAULTS, storePath: resolve(DEFAULTS.storePath) })
    expect(isAbsolute(settings.storePath)).toBe(true)
  })

  it('watch no event loop when that is turned off', () => {
    expect(settingsOf({ stalls: { threshold: false } }).stallThresholdMs).toBe(Number.POSITIVE_INFINITY)
    expect(settingsOf({ stalls: {} }).stallThresholdMs).toBe(DEFAULTS.stallThresholdMs)
  })

  it('take every option, units fixed', () => {
    const when = () => false
    const settings = settingsOf({
      enabled: false,
      store: { path: 'x/y.db', retention: '10m', maxBytes: 1e6, sweepInterval: '2s' },
      writer: { drainIntervalMs: 7, ringBytes: 65_536, exitTimeoutMs: 9 },
      breaker: { resetTimeoutMs: 11 },
      stalls: { threshold: '2s' },
      errors: { fullPerSecond: 12 },
      redact: { keys: ['a', /x/gi], allow: ['b'], when },
      limits: { depth: 1 },
      signals: false,
      sample: 0.5,
      maxPerSecond: 3,
      slow: '250ms',
      capture: { args: 'types' },
    })
    expect(settings).toEqual({
      enabled: false,
      storePath: join(process.cwd(), 'x', 'y.db'),
      retentionMs: 600_000,
      journalMaxBytes: 1_048_576,
      maxBytes: 1e6,
      sweepIntervalMs: 2_000,
      drainIntervalMs: 7,
      ringBytes: 65_536,
      exitTimeoutMs: 9,
      breaker: { ...DEFAULTS.breaker, resetTimeoutMs: 11 },
      stallThresholdMs: 2_000,
      fullErrorsPerSecond: 12,
      redactKeys: ['a', /x/i],
      allowKeys: ['b'],
      redactWhen: when,
      limits: { ...DEFAULTS.limits, depth: 1 },
      signals: false,
      site: {
        sample: 0.5,
        maxPerSecond: 3,
        slowMs: 250,
        captureArgs: 'types',
        captureResult: true,
        timing: 'exact',
      },
    })
  })

  it('are frozen all the way down and never share what the app can change', () => {
    const keys = ['a']
    const settings = settingsOf({ redact: { keys } })
    keys.push('b')
    expect(settings.redactKeys).toEqual(['a'])
    expect(openParts(settings)).toEqual([])
    expect(openParts(resolveSettings({}, { CALLSIGHT: 'maybe' }))).toEqual([])
    expect(openParts(DEFAULTS)).toEqual([])
  })

  it('keep nothing of an earlier call', () => {
    settingsOf(
      { sample: 0.1, limits: { depth: 9 }, breaker: { failureThreshold: 9 } },
      { CALLSIGHT_SAMPLE: '0.2' },
    )
    expect(settingsOf()).toEqual({ ...DEFAULTS, storePath: resolve(DEFAULTS.storePath) })
  })

  it('say what to do when the working directory is gone', () => {
    const original = process.cwd
    process.cwd = () => {
      throw new Error('ENOENT: no such file or directory, uv_cwd')
    }
    try {
      expect(() => settingsOf()).toThrow(ConfigError)
      expect(() => settingsOf()).toThrow('CALLSIGHT_DB')
      expect(settingsOf({ store: { path: '/data/x.db' } }).storePath).toBe('/data/x.db')
    } finally {
      process.cwd = original
    }
  })

  it('refuse wrong options', () => {
    const wrong = { sampel: 1 } as CallsightOptions
    expect(() => settingsOf(wrong)).toThrow(ConfigError)
    expect(() => resolveSite(DEFAULTS.site, { sample: 2 })).toThrow(ConfigError)
  })
})

describe('the settings of one call site', () => {
  it('are those of the recorder with its own options on top', () => {
    const base = settingsOf({ sample: 0.5, slow: '2s', capture: { args: 'types', result: false } }).site
    expect(
      resolveSite(base, { slow: false, capture: { result: true }, timing: 'sampled', name: 'x' }),
    ).toEqual({
      sample: 0.5,
      maxPerSecond: Number.POSITIVE_INFINITY,
      slowMs: Number.POSITIVE_INFINITY,
      captureArgs: 'types',
      captureResult: true,
      timing: 'sampled',
    })
  })

  it('are frozen, whatever they are made from', () => {
    const base = { ...DEFAULTS.site }
    const site = resolveSite(base)
    base.sample = 0.5 as 1
    expect(site).toEqual(DEFAULTS.site)
    expect(Object.isFrozen(site)).toBe(true)
    expect(Object.isFrozen(base)).toBe(false)
  })
})

function openParts(value: unknown, path = 'it'): string[] {
  if (typeof value !== 'object' || value === null) return []
  const below = Object.entries(value).flatMap(([key, part]) => openParts(part, `${path}.${key}`))
  return Object.isFrozen(value) ? below : [path, ...below]
}
