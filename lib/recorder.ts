import { randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { hostname } from 'node:os'
import { basename } from 'node:path'
import { threadId } from 'node:worker_threads'
import { durationMs } from './config/duration.js'
import { readEnvironment } from './config/environment.js'
import { mergeOptions } from './config/merge.js'
import type { CallsightOptions, Duration, Settings, TuneOptions } from './config/options.js'
import { resolveSettings, resolveSite } from './config/resolve.js'
import { ConfigError, validateCallsightOptions } from './config/validate.js'
import { degradation, type Health, healthWithoutParts, readHealth, type Verdict } from './health.js'
import { onProcessEnd } from './lifecycle/process-end.js'
import { AttachedSites } from './monitor/attached-sites.js'
import type { CallSite } from './monitor/call-site.js'
import { live, type Recording } from './monitor/recording.js'
import { RemoteTraces } from './monitor/remote-traces.js'
import { settleWaiting } from './monitor/settle.js'
import { type Account, emptyAccount, readAccount } from './queue/account.js'
import { monotonicMs, takeAnchor } from './queue/clock.js'
import { Control } from './queue/control.js'
import { Journal } from './queue/journal.js'
import { journalBufferBytes } from './queue/journal-lane.js'
import { startTicks } from './queue/process-identity.js'
import { newLaneMemory, Producer } from './queue/producer.js'
import { Tuning } from './sampling/tuning.js'
import { Capture } from './serialize/capture.js'
import { Redaction } from './serialize/redaction.js'
import { Totals } from './totals/totals.js'
import type { DrainTask, WriterMessage } from './writer/messages.js'
import { WriterSupervisor } from './writer/supervisor.js'

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
  readonly producer: Producer
  readonly supervisor: WriterSupervisor
  readonly laneI32: Int32Array
  readonly laneF64: Float64Array
  readonly stopListening: () => void
}

const FLUSH_TIMEOUT_MS = 10_000
const POLL_MS = 2
/** A writer that dies while it is being stopped is started again this often before the rest goes to the journal. */
const SHUTDOWN_REVIVALS = 2
/** How often a removed journal is noticed, and errors that wait in memory are offered to the disk again. */
const TEND_INTERVAL_MS = 1_000
/** Longest delay a timer takes. */
const MAX_TIMER_MS = 2 ** 31 - 1

let phase: Phase = { kind: 'idle' }
let options: CallsightOptions = {}
const tuning = new Tuning()
const attached = new AttachedSites()
let tuningTimer: NodeJS.Timeout | null = null

/**
 * Sets what is recorded and where, before the first monitored call. Calling it again before that adds to the earlier
 * options, group by group.
 *
 * @throws {ConfigError} when an option has no meaning, or recording has begun already
 */
export function configure(given: CallsightOptions): void {
  const checked = validateCallsightOptions(given)
  if (phase.kind !== 'idle') {
    throw new ConfigError(
      'Callsight: configure() must come before the first monitored call; use tune() to change sampling while the program runs',
    )
  }
  const merged = mergeOptions(options, checked)
  resolveSettings(merged)
  options = merged
}

/**
 * Changes how functions are sampled and captured while the program runs.
 *
 * @param pattern name of call sites, `*` for any run of characters and `?` for one: `'Orders.*'`
 * @param rule what changes; options it does not name stay as they are
 * @param how `for`: how long the change holds, default until the process ends; it expires by itself
 * @throws {ConfigError} for a bad pattern, option or time
 */
export function tune(pattern: string, rule: TuneOptions, how: { readonly for?: Duration } = {}): void {
  tuning.add(pattern, rule, how.for === undefined ? null : durationMs(how.for), monotonicMs())
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
    const { settings, warnings } = resolveSettings(options)
    for (const text of warnings) warn('CALLSIGHT_ENVIRONMENT', text)
    if (!settings.enabled) {
      phase = { kind: 'off', reason: 'switched off by CALLSIGHT=off or configure({ enabled: false })' }
      return null
    }
    const recording = compose(settings)
    live.recording = recording
    return recording
  } catch (error) {
    fail(error)
    return null
  }
}

/** Builds the parts, top of the picture to bottom, and starts the writer. */
function compose(settings: Settings): Recording {
  const anchor = takeAnchor()
  const boot = randomHex()
  const originUnixUs = anchor.unixUs - performance.now() * 1000
  const control = new Control()
  const totals = new Totals()
  const memory = newLaneMemory(settings.ringBytes, originUnixUs)
  const ownTicks = startTicks('self')
  const { limits } = settings
  const journal = new Journal(
    settings.storePath,
    { boot, ring: threadId, pid: process.pid, startTicks: ownTicks, originUnixUs },
    site => totals.name(site),
    journalBufferBytes(limits.bytes, limits.stackLength),
  )
  const remoteTraces = new RemoteTraces()
  const producer = new Producer({
    memory,
    ringBytes: settings.ringBytes,
    control: control.memory,
    journal,
    totals,
    capture: new Capture(limits),
    groupBytes: limits.bytes,
    fullErrorsPerSecond: settings.fullErrorsPerSecond,
    remoteIds: trace => remoteTraces.ids(trace),
  })
  const task: DrainTask = {
    control: control.memory,
    lanes: [{ ring: threadId, memory, ringBytes: settings.ringBytes, totals: totals.memory }],
    boot,
    anchor,
    process: {
      pid: process.pid,
      script: basename(process.argv[1] ?? 'node'),
      host: hostname(),
      nodeVersion: process.version,
      version: ownVersion(),
      startTicks: ownTicks,
    },
    settings: {
      storePath: settings.storePath,
      retentionMs: settings.retentionMs,
      maxBytes: settings.maxBytes,
      sweepIntervalMs: settings.sweepIntervalMs,
      drainIntervalMs: settings.drainIntervalMs,
      breaker: settings.breaker,
    },
  }
  const supervisor = new WriterSupervisor(task, control, onWriterMessage)
  const parts: Parts = {
    settings,
    control,
    producer,
    supervisor,
    laneI32: new Int32Array(memory),
    laneF64: new Float64Array(memory),
    stopListening: onProcessEnd(
      { end: () => endOfProcess(parts), hint: () => control.wakeWriter() },
      settings.signals && threadId === 0,
    ),
  }
  phase = { kind: 'recording', parts }
  supervisor.start()
  setInterval(() => producer.tend(), TEND_INTERVAL_MS).unref()
  const { redactKeys: keys, allowKeys: allow, redactWhen: when } = settings
  return {
    boot,
    producer,
    totals,
    control,
    remoteTraces,
    lastCall: randomCallBase(),
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
}

function onWriterMessage(message: WriterMessage): void {
  warn(message.code, message.text)
}

function warn(code: string, text: string): void {
  process.emitWarning(text, { type: 'CallsightWarning', code })
}

/** The process ends: bounded handshake with the writer; what it does not confirm goes to the journal. */
function endOfProcess(parts: Parts): void {
  if (phase.kind === 'stopped') return
  try {
    saveAtEnd(parts)
  } catch {
    // Nothing may change how the program ends; what is in the journal is safe.
  }
}

function saveAtEnd({ producer, control, supervisor, settings }: Parts): void {
  supervisor.abandon()
  if (live.recording !== null) settleWaiting(live.recording)
  producer.retryHeld()
  control.requestStop()
  const complete = control.waitForEnd(settings.exitTimeoutMs)
  if (!complete) producer.saveRing()
  producer.route = 'journal'
  producer.endJournal()
}

/** Waits without blocking until `done`, or for `timeoutMs`; keeps the process alive meanwhile. */
function poll(done: () => boolean, timeoutMs: number): Promise<boolean> {
  const deadlineMs = performance.now() + timeoutMs
  return new Promise(resolve => {
    const look = (): void => {
      if (done()) resolve(true)
      else if (performance.now() >= deadlineMs) resolve(false)
      else setTimeout(look, POLL_MS)
    }
    look()
  })
}

/**
 * Waits until everything recorded before this call is in the store, at most 10 seconds.
 *
 * @returns the account; when the store cannot be written, what is missing stands in `inRing` and `inJournal`
 */
export async function flush(): Promise<Account> {
  if (phase.kind !== 'recording') return account()
  const { control, producer, supervisor } = phase.parts
  producer.retryHeld()
  const ticket = control.requestFlush()
  supervisor.startNow()
  await poll(() => control.flushReached(ticket) || control.writerState === 'stopped', FLUSH_TIMEOUT_MS)
  return account()
}

/**
 * Stores everything and ends the recorder. Later calls pass through; their errors still go to the journal and are
 * stored at the next start.
 *
 * @returns the final account
 */
export async function shutdown(): Promise<Account> {
  if (phase.kind === 'idle') {
    phase = { kind: 'stopped', parts: null }
    return account()
  }
  if (phase.kind !== 'recording') return account()
  const { parts } = phase
  const { control, producer, supervisor, settings } = parts
  producer.retryHeld()
  producer.route = 'errors-only'
  control.requestStop()
  let revivals = SHUTDOWN_REVIVALS
  const ended = await poll(
    () => {
      if (control.writerState === 'failed' && revivals-- > 0) supervisor.startNow()
      return control.writerState === 'stopped' || control.writerState === 'failed'
    },
    Math.max(settings.exitTimeoutMs, FLUSH_TIMEOUT_MS),
  )
  if (!ended || control.writerState !== 'stopped') producer.saveRing()
  supervisor.abandon()
  producer.endJournal()
  parts.stopListening()
  phase = { kind: 'stopped', parts }
  await supervisor.close()
  return account()
}

function account(): Account {
  const parts = partsOf(phase)
  return parts === null ? emptyAccount() : readAccount(parts.laneF64, parts.control.f64)
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

/** How the recorder is doing: synchronous, a few microseconds, no disk. */
export function health(): Health {
  const parts = partsOf(phase)
  const verdict = verdictOf(phase)
  return parts === null ? healthWithoutParts(verdict) : readHealth(parts, verdict, account())
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

/** 16 hex digits that no other recorder start has; the app may have replaced `Math.random` by something it can repeat. */
function randomHex(): string {
  return randomBytes(8).toString('hex')
}

/** Call ids count up from a random multiple of 2^32 below 2^53, so that ids of different threads do not meet. */
function randomCallBase(): number {
  return (randomBytes(4).readUInt32LE() & 0x1f_ff_ff) * 2 ** 32
}

function ownVersion(): string {
  const manifest = createRequire(import.meta.url)('../package.json') as { version: string }
  return manifest.version
}

live.start = start
live.off = readEnvironment(process.env).enabled === false
