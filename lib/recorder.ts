import { isMainThread } from 'node:worker_threads'
import { durationMs } from './config/duration.js'
import { mergeOptions } from './config/merge.js'
import type { CallsightOptions, Settings, TuneDuration, TuneOptions } from './config/options.js'
import { resolveSettings, resolveSite } from './config/resolve.js'
import { ConfigError, validateCallsightOptions, validateTuneDuration } from './config/validate.js'
import { type Dashboard, type DashboardOptions, openDashboard } from './dashboard/start.js'
import { degradation, type Health, healthWithoutParts, readHealth, type Verdict } from './health.js'
import { addressSpaceShortage } from './lifecycle/address-space.js'
import { missingPermissions } from './lifecycle/permissions.js'
import { onProcessEnd } from './lifecycle/process-end.js'
import { AttachedSites } from './monitor/attached-sites.js'
import type { CallSite } from './monitor/call-site.js'
import { hindsight } from './monitor/keep.js'
import { live, type Recording } from './monitor/recording.js'
import { shareAgain } from './monitor/running.js'
import { settleWaiting } from './monitor/unsettled.js'
import { type Account, emptyAccount } from './queue/account.js'
import { monotonicMs } from './queue/clock.js'
import type { Control } from './queue/control.js'
import { beat } from './queue/loop-beat.js'
import { Tuning } from './sampling/tuning.js'
import { Redaction } from './serialize/redaction.js'
import { Place } from './threads/place.js'
import type { RecordingLane } from './threads/recording-lane.js'
import type { WriterEnd } from './threads/writer-end.js'
import type { WriterMessage } from './writer/messages.js'

type Phase =
  | { readonly kind: 'idle' }
  | { readonly kind: 'starting' }
  | { readonly kind: 'off'; readonly reason: string }
  | { readonly kind: 'recording'; readonly parts: Parts }
  | { readonly kind: 'failed'; readonly parts: Parts | null; readonly reason: string }
  | { readonly kind: 'stopped'; readonly parts: Parts | null }

/** Everything that exists while recording. */
interface Parts {
  readonly settings: Settings
  readonly control: Control
  readonly lane: RecordingLane
  readonly writer: WriterEnd
  readonly stopListening: () => void
  readonly stopBeating: () => void
}

const FLUSH_TIMEOUT_MS = 10_000
/** How often a removed journal is noticed, errors in memory are offered to the disk again, and a lane to the writer. */
const TEND_INTERVAL_MS = 1_000
/** Longest delay a timer takes. */
const MAX_TIMER_MS = 2 ** 31 - 1

let phase: Phase = { kind: 'idle' }
let options: CallsightOptions = {}
const tuning = new Tuning()
const attached = new AttachedSites()
let tuningTimer: NodeJS.Timeout | null = null
/** Where this thread stands in its process. */
const place = new Place({
  onWriterMessage,
  onWorkerWithoutWriter: () => void start(),
})

/**
 * Sets what is recorded and where, before the first monitored call of this thread or, on the main thread, of any.
 * Calling it again before that adds to the earlier options, group by group.
 *
 * A worker thread inherits the options the main thread had when the worker was started; what it sets itself is laid
 * over them. The options of the writer (`store`, `breaker`, `writer.drainIntervalMs`) are those of the main thread,
 * unless the worker names a store of its own: then it has a writer of its own as well.
 *
 * @throws {ConfigError} when an option has no meaning, or recording has begun already
 */
export function configure(given: CallsightOptions): void {
  const checked = validateCallsightOptions(given)
  if (phase.kind !== 'idle') {
    throw new ConfigError(
      'Callsight: configure() must come before the first monitored call, in this thread and in worker threads ' +
        'that share its writer; use tune() to change sampling while the program runs',
    )
  }
  const merged = mergeOptions(options, checked)
  place.move(merged)
  resolveSettings(place.effective(merged))
  options = merged
}

/**
 * Changes how functions are sampled and captured while the program runs, in the thread that calls it.
 *
 * @param pattern name of call sites, `*` for any run of characters and `?` for one: `'Orders.*'`
 * @param rule what changes; options it does not name stay as they are
 * @param how `for`: how long the change holds, default until the process ends; it expires by itself
 * @throws {ConfigError} for a bad pattern, option or time
 */
export function tune(pattern: string, rule: TuneOptions, how: TuneDuration = {}): void {
  const { for: duration } = validateTuneDuration(how)
  tuning.add(pattern, rule, duration === undefined ? null : durationMs(duration), monotonicMs())
  applyTuning()
}

function applyTuning(): void {
  const nowMs = monotonicMs()
  tuning.expire(nowMs)
  if (phase.kind === 'recording') {
    const base = phase.parts.settings.site
    attached.visit(site => applySettings(site, base, nowMs))
  }
  if (tuningTimer !== null) clearTimeout(tuningTimer)
  const expiryMs = tuning.nextExpiryMs()
  const delayMs = expiryMs === null ? 0 : Math.min(MAX_TIMER_MS, Math.ceil(expiryMs - nowMs) + 1)
  tuningTimer = expiryMs === null ? null : setTimeout(applyTuning, delayMs).unref()
}

function applySettings(site: CallSite, base: Settings['site'], nowMs: number): void {
  site.apply(tuning.effective(site.name, resolveSite(base, site.options), nowMs))
}

/** Called by the first monitored call; `null` when nothing is to be recorded. */
function start(): Recording | null {
  if (phase.kind !== 'idle') return null
  phase = { kind: 'starting' }
  try {
    const { settings, warnings } = resolveSettings(place.effective(options))
    for (const text of place.ownWarnings(warnings)) warn('CALLSIGHT_ENVIRONMENT', text)
    if (!settings.enabled) {
      phase = { kind: 'off', reason: 'switched off by CALLSIGHT=off or configure({ enabled: false })' }
      place.withdraw()
      return null
    }
    const missing = missingPermissions(settings.storePath)
    if (missing.length > 0) {
      place.forbid()
      const reason = `Node's permission model does not allow recording. To allow it, add ${missing.join(' ')}`
      return cannotRecord('CALLSIGHT_PERMISSION', reason)
    }
    const shortage = addressSpaceShortage(settings.ringBytes)
    if (shortage !== null) {
      place.withdraw()
      return cannotRecord('CALLSIGHT_NO_MEMORY', shortage)
    }
    const recording = compose(settings)
    live.recording = recording
    return recording
  } catch (error) {
    fail(error)
    return null
  }
}

/** The recorder could not work here, and trying would not be without danger for the program. */
function cannotRecord(code: string, reason: string): null {
  phase = { kind: 'off', reason }
  warn(code, `Recording is off, the program goes on without it: ${reason}`)
  return null
}

/** Builds the parts, top of the picture to bottom, and starts the writer. */
function compose(wanted: Settings): Recording {
  const { settings, lane, writer, control } = place.settle(wanted)
  const { producer, totals, boot, remoteTraces } = lane
  const parts: Parts = {
    settings,
    control,
    lane,
    writer,
    stopListening: onProcessEnd(
      { end: () => endOfThread(parts), hint: () => control.wakeWriter() },
      settings.signals && isMainThread,
    ),
    stopBeating: isMainThread ? beat(lane.f64, settings.stallThresholdMs, shareAgain) : () => {},
  }
  phase = { kind: 'recording', parts }
  writer.start()
  setInterval(() => {
    writer.tend()
    shareAgain()
  }, TEND_INTERVAL_MS).unref()
  const { redactKeys: keys, allowKeys: allow, redactWhen: when } = settings
  return {
    boot,
    producer,
    totals,
    control,
    remoteTraces,
    lastCall: control.takeCallBlock(),
    attach(site) {
      const { redact = [] } = site.options
      site.redaction = Redaction.compile({ keys, allow, when, site: redact, callSite: site.name })
      applySettings(site, settings.site, monotonicMs())
      site.id = totals.register(site.name)
      attached.add(site)
    },
    fail,
  }
}

/** The recorder's own code failed: out of the app's way, one warning, errors and calls pass through unrecorded. */
function fail(error: unknown): void {
  const reason = error instanceof Error ? (error.stack ?? error.message) : String(error)
  const parts = phase.kind === 'recording' ? phase.parts : null
  live.recording = null
  if (phase.kind !== 'failed') {
    warn('CALLSIGHT_FAILED', `Recording is off, the program goes on without it: ${reason}`)
  }
  phase = { kind: 'failed', parts, reason }
  if (parts === null) place.withdraw()
}

function onWriterMessage(message: WriterMessage): void {
  switch (message.type) {
    case 'warning':
      warn(message.code, message.text)
      break
    case 'tunings':
      tuning.impose(message.rules)
      applyTuning()
      break
    default:
      message satisfies never
  }
}

function warn(code: string, text: string): void {
  process.emitWarning(text, { type: 'CallsightWarning', code })
}

/** The process or the worker thread ends: what the writer does not confirm goes to the journal. */
function endOfThread({ writer }: Parts): void {
  try {
    if (live.recording !== null) settleWaiting(live.recording)
    writer.end()
  } catch {
    // Nothing may change how the program ends; what is in the journal is safe.
  }
}

/**
 * Waits until everything this thread has recorded before this call is in the store, at most 10 seconds. On the main
 * thread that includes what worker threads have recorded, as far as it has heard of them.
 *
 * @returns the account of this thread; when the store cannot be written, what is missing stands in `inRing` and
 * `inJournal`
 */
export async function flush(): Promise<Account> {
  if (phase.kind === 'recording') await phase.parts.writer.flush(FLUSH_TIMEOUT_MS)
  return account()
}

/**
 * Stores everything and ends the recorder. Later calls pass through; their errors still go to the journal and are
 * stored at the next start.
 *
 * On the main thread this ends recording in the whole process: worker threads that share its writer notice within
 * about a second, and keep only errors from then on. In a worker thread it ends the recording of that thread only.
 *
 * @returns the final account of this thread
 */
export async function shutdown(): Promise<Account> {
  if (phase.kind === 'idle') {
    phase = { kind: 'stopped', parts: null }
    place.withdraw()
    return account()
  }
  if (phase.kind !== 'recording') return account()
  const { parts } = phase
  parts.stopBeating()
  const endMatters = await parts.writer.shutdown(FLUSH_TIMEOUT_MS)
  if (!endMatters) parts.stopListening()
  phase = { kind: 'stopped', parts }
  return account()
}

function account(): Account {
  return partsOf(phase)?.lane.account ?? emptyAccount()
}

function partsOf(now: Phase): Parts | null {
  switch (now.kind) {
    case 'recording':
    case 'failed':
    case 'stopped':
      return now.parts
    case 'idle':
    case 'starting':
    case 'off':
      return null
  }
}

/**
 * How the recorder is doing: synchronous, a few microseconds, no disk. On the main thread `account` is the sum of all
 * threads that share its writer, also of those that have ended; in a worker thread it is that thread's own. `ring` is
 * that of the calling thread.
 */
export function health(): Health {
  const parts = partsOf(phase)
  const verdict = verdictOf(phase)
  if (parts === null) return healthWithoutParts(verdict)
  const { settings, control, lane, writer } = parts
  return readHealth({ settings, control, laneI32: lane.i32, hindsight }, verdict, writer.account)
}

/**
 * Starts the dashboard in this process: a web page about a recording, and a server for it that reads on threads of its
 * own. It never keeps the process alive unless asked to, and what fails after the start never reaches the program.
 *
 * @throws ConfigError (rejects, code `CALLSIGHT_CONFIG`) when an option has no meaning, `NODE_ENV` is `production` without
 * `allowProduction`, or the host is one that other machines reach without `allowRemote`
 * @throws DashboardError (rejects, code `CALLSIGHT_DASHBOARD`) when it cannot listen
 */
export function startDashboard(dashboardOptions: DashboardOptions = {}): Promise<Dashboard> {
  return openDashboard(dashboardOptions, () => resolveSettings(place.effective(options)).settings.storePath)
}

function verdictOf(now: Phase): Verdict {
  switch (now.kind) {
    case 'idle':
    case 'starting':
      return live.off ? { state: 'off', reason: 'CALLSIGHT=off' } : { state: 'idle', reason: null }
    case 'off':
    case 'failed':
      return { state: now.kind, reason: now.reason }
    case 'stopped':
      return { state: 'stopped', reason: null }
    case 'recording':
      return degradation(now.parts.control)
  }
}

live.start = start
live.off = place.off
place.publish(() => options)
