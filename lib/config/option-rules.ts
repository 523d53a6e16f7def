import { isRegExp } from 'node:util/types'
import { NAME_MAX_BYTES } from '../totals/layout.js'
import type {
  CallsightOptions,
  CaptureOptions,
  ClassOptions,
  Limits,
  MonitorAllOptions,
  MonitorOptions,
  TuneDuration,
  TuneOptions,
} from './options.js'
import {
  duration,
  either,
  flag,
  group,
  listOf,
  number,
  oneOf,
  powerOfTwo,
  type RulesOf,
  regularExpression,
  text,
  value,
  whole,
  wholeOrUnlimited,
} from './rules.js'

type Group<K extends keyof CallsightOptions> = RulesOf<NonNullable<CallsightOptions[K]>>

const DAY_MS = 24 * 60 * 60 * 1000
const MINUTE_MS = 60_000
const KIB = 1024
const GIB = 1024 ** 3

const exactlyFalse = value('false', given => given === false)
const captureMode = oneOf(true, false, 'types')
const keyName = text('a key name of 1 to 4,096 characters')
const keyNameOrPattern = either(keyName, regularExpression)
const argumentPosition = value(
  'an argument position (a whole number from 0 to 255)',
  given => Number.isSafeInteger(given) && (given as number) >= 0 && (given as number) <= 255,
)
/** Shared with `CALLSIGHT_DB`. */
export const STORE_PATH_RULE = text(
  "the path of a file (':memory:' and URIs are not: the file is shared with the writer thread)",
  path => !path.includes('\0') && path !== ':memory:' && !path.startsWith('file:'),
)

export const TUNE_RULES = {
  sample: number(0, 1),
  maxPerSecond: wholeOrUnlimited(0),
  slow: either(duration(), exactlyFalse),
  capture: group({ args: captureMode, result: captureMode } satisfies RulesOf<CaptureOptions>),
} satisfies RulesOf<TuneOptions>

export const TUNE_DURATION_RULES = { for: duration(1) } satisfies RulesOf<TuneDuration>

export const MONITOR_RULES = {
  ...TUNE_RULES,
  name: text(`a name of 1 to ${NAME_MAX_BYTES} bytes`, name => Buffer.byteLength(name) <= NAME_MAX_BYTES),
  redact: listOf(either(argumentPosition, keyNameOrPattern)),
  timing: oneOf('exact', 'sampled'),
} satisfies RulesOf<MonitorOptions>

/** Shared with the pattern argument of `monitorAll()`. */
export const MEMBER_PATTERN_RULE = either(
  text('a name or pattern of 1 to 256 characters', pattern => pattern.length <= 256),
  value('a symbol or a RegExp', given => typeof given === 'symbol' || isRegExp(given)),
)
export const MEMBER_PATTERNS_RULE = listOf(MEMBER_PATTERN_RULE)

export const CLASS_RULES = {
  ...MONITOR_RULES,
  exclude: MEMBER_PATTERNS_RULE,
} satisfies RulesOf<ClassOptions>

export const MONITOR_ALL_RULES = {
  ...CLASS_RULES,
  inherited: flag,
  classes: flag,
} satisfies RulesOf<MonitorAllOptions>

const LIMIT_RULES = {
  // The upper limits are those of the capture (serialize/capture.ts): larger numbers would be cut there.
  depth: whole(0, 16),
  fields: whole(0, 10_000),
  items: whole(0, 60_000),
  listItems: whole(0, 1_000_000),
  stringLength: whole(0, 16_384),
  nodes: whole(1, 100_000),
  // Arguments and result of one call have to fit into the smallest ring and the scratch space beside it.
  bytes: whole(64, 24 * KIB),
  stackLength: whole(0, 16_384),
  causes: whole(0, 14),
} satisfies RulesOf<Limits>

export const CALLSIGHT_RULES = {
  ...TUNE_RULES,
  enabled: flag,
  store: group({
    path: STORE_PATH_RULE,
    retention: duration(1),
    maxBytes: whole(64 * KIB, Number.MAX_SAFE_INTEGER, 'bytes'),
    sweepInterval: duration(1),
  } satisfies Group<'store'>),
  writer: group({
    drainIntervalMs: number(1, MINUTE_MS, 'milliseconds'),
    ringBytes: powerOfTwo(64 * KIB, GIB, 'bytes'),
    exitTimeoutMs: number(0, MINUTE_MS, 'milliseconds'),
  } satisfies Group<'writer'>),
  breaker: group({
    failureThreshold: whole(1, 1_000_000),
    resetTimeoutMs: number(1, DAY_MS, 'milliseconds'),
    successThreshold: whole(1, 1_000_000),
  } satisfies Group<'breaker'>),
  stalls: group({ threshold: either(duration(100), exactlyFalse) } satisfies Group<'stalls'>),
  errors: group({ fullPerSecond: wholeOrUnlimited(0) } satisfies Group<'errors'>),
  redact: group({
    keys: listOf(keyNameOrPattern),
    allow: listOf(keyName),
    when: value('a function', given => typeof given === 'function'),
  } satisfies Group<'redact'>),
  limits: group(LIMIT_RULES),
  signals: flag,
} satisfies RulesOf<CallsightOptions>
