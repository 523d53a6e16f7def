import type { Settings } from './options.js'

/** A journal that is shorter than this holds too little to be one. */
export const LEAST_JOURNAL_BYTES = 1024 ** 2

/** Every default of Callsight. Nothing else in the code or the documents repeats these values by hand. */
export const DEFAULTS = Object.freeze({
  enabled: true,
  storePath: '.callsight/calls.db',
  retentionMs: 6 * 60 * 60 * 1000,
  maxBytes: 1024 ** 3,
  /** Never more than the store itself may take, and never less than {@link LEAST_JOURNAL_BYTES}. */
  journalMaxBytes: 1024 ** 3,
  sweepIntervalMs: 10_000,
  drainIntervalMs: 100,
  ringBytes: 8 * 1024 ** 2,
  exitTimeoutMs: 2_000,
  breaker: Object.freeze({ failureThreshold: 3, resetTimeoutMs: 30_000, successThreshold: 1 }),
  stallThresholdMs: 500,
  fullErrorsPerSecond: 1_000,
  redactKeys: Object.freeze([]),
  allowKeys: Object.freeze([]),
  redactWhen: null,
  limits: Object.freeze({
    depth: 3,
    fields: 20,
    items: 100,
    listItems: 1_000,
    stringLength: 255,
    nodes: 1_000,
    bytes: 4_096,
    stackLength: 4_000,
    causes: 5,
  }),
  signals: true,
  site: Object.freeze({
    sample: 1,
    maxPerSecond: Number.POSITIVE_INFINITY,
    slowMs: 1_000,
    captureArgs: true,
    captureResult: true,
    timing: 'exact',
  }),
}) satisfies Settings
