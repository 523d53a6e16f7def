import { resolve } from 'node:path'
import { DEFAULTS, LEAST_JOURNAL_BYTES } from './defaults.js'
import { durationMs } from './duration.js'
import { type Environment, readEnvironment } from './environment.js'
import { ConfigError } from './errors.js'
import type { CallsightOptions, MonitorOptions, Settings, SiteSettings, TuneOptions } from './options.js'
import { validateCallsightOptions, validateMonitorOptions } from './validate.js'

/** The settings of the whole recorder, with one line for each environment variable that was ignored. */
export interface ResolvedSettings {
  readonly settings: Settings
  readonly warnings: readonly string[]
}

/**
 * Defaults, then the environment, then the options; `CALLSIGHT=off` wins over all. Everything returned is frozen.
 *
 * @throws {@link ConfigError} for options that cannot be used, never for the environment.
 */
export function resolveSettings(
  options: CallsightOptions | undefined = undefined,
  env: Environment = process.env,
): ResolvedSettings {
  const valid = validateCallsightOptions(options)
  const environment = readEnvironment(env)
  const { store = {}, writer = {}, breaker = {}, stalls = {}, errors = {}, redact = {}, limits = {} } = valid
  const base = environment.sample === null ? DEFAULTS.site : { ...DEFAULTS.site, sample: environment.sample }
  const settings: Settings = Object.freeze({
    enabled: environment.enabled !== false && (valid.enabled ?? DEFAULTS.enabled),
    storePath: absolute(store.path ?? environment.storePath ?? DEFAULTS.storePath),
    retentionMs: millisecondsOf(store.retention, DEFAULTS.retentionMs),
    maxBytes: store.maxBytes ?? DEFAULTS.maxBytes,
    journalMaxBytes: journalShare(store.maxBytes ?? DEFAULTS.maxBytes),
    sweepIntervalMs: millisecondsOf(store.sweepInterval, DEFAULTS.sweepIntervalMs),
    drainIntervalMs: writer.drainIntervalMs ?? DEFAULTS.drainIntervalMs,
    ringBytes: writer.ringBytes ?? DEFAULTS.ringBytes,
    exitTimeoutMs: writer.exitTimeoutMs ?? DEFAULTS.exitTimeoutMs,
    breaker: Object.freeze({ ...DEFAULTS.breaker, ...breaker }),
    stallThresholdMs:
      stalls.threshold === false
        ? Number.POSITIVE_INFINITY
        : millisecondsOf(stalls.threshold, DEFAULTS.stallThresholdMs),
    fullErrorsPerSecond: errors.fullPerSecond ?? DEFAULTS.fullErrorsPerSecond,
    redactKeys: redact.keys ?? DEFAULTS.redactKeys,
    allowKeys: redact.allow ?? DEFAULTS.allowKeys,
    redactWhen: redact.when ?? DEFAULTS.redactWhen,
    limits: Object.freeze({ ...DEFAULTS.limits, ...limits }),
    signals: valid.signals ?? DEFAULTS.signals,
    site: overlaySite(base, siteOverlay(valid)),
  })
  return Object.freeze({ settings, warnings: environment.warnings })
}

/**
 * The settings of one call site: its own options over those of the recorder. Frozen.
 *
 * @throws {@link ConfigError}
 */
export function resolveSite(base: SiteSettings, options?: MonitorOptions): SiteSettings {
  return overlaySite(base, siteOverlay(validateMonitorOptions(options)))
}

/** The part of {@link SiteSettings} that validated options speak of. */
export function siteOverlay(options: TuneOptions & Pick<MonitorOptions, 'timing'>): Partial<SiteSettings> {
  const { sample, maxPerSecond, slow, capture, timing } = options
  return Object.freeze({
    ...(sample !== undefined && { sample }),
    ...(maxPerSecond !== undefined && { maxPerSecond }),
    ...(slow !== undefined && { slowMs: slow === false ? Number.POSITIVE_INFINITY : durationMs(slow) }),
    ...(capture?.args !== undefined && { captureArgs: capture.args }),
    ...(capture?.result !== undefined && { captureResult: capture.result }),
    ...(timing !== undefined && { timing }),
  })
}

export function overlaySite(base: SiteSettings, overlay: Partial<SiteSettings>): SiteSettings {
  return Object.freeze({ ...base, ...overlay })
}

/** A journal may take as much again as the store. */
function journalShare(maxBytes: number): number {
  return Math.max(LEAST_JOURNAL_BYTES, Math.min(DEFAULTS.journalMaxBytes, maxBytes))
}

function millisecondsOf(duration: unknown, fallbackMs: number): number {
  return duration === undefined ? fallbackMs : durationMs(duration)
}

function absolute(path: string): string {
  try {
    return resolve(path)
  } catch (cause) {
    throw new ConfigError(
      'Callsight: the working directory is gone, so the store has no place; set CALLSIGHT_DB to an absolute path',
      { cause },
    )
  }
}
