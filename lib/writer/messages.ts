import type { Settings } from '../config/options.js'
import type { ClockAnchor } from '../queue/clock.js'

/** One recording thread's memory, as the writer sees it. */
export interface LaneHandle {
  readonly ring: number
  readonly memory: SharedArrayBuffer
  readonly ringBytes: number
  readonly totals: SharedArrayBuffer
}

/** What the writer is started with. */
export interface DrainTask {
  readonly control: SharedArrayBuffer
  readonly lanes: readonly LaneHandle[]
  readonly boot: string
  readonly anchor: ClockAnchor
  readonly process: {
    readonly pid: number
    readonly script: string
    readonly host: string
    readonly nodeVersion: string
    readonly version: string
    readonly startTicks: number
  }
  readonly settings: WriterSettings
}

export type WriterSettings = Pick<
  Settings,
  'storePath' | 'retentionMs' | 'maxBytes' | 'sweepIntervalMs' | 'drainIntervalMs' | 'breaker'
>

/** What the writer tells the recording thread. Everything that is a figure goes through the control block instead. */
export type WriterMessage =
  /** Something the user should know, said once per episode. */
  { readonly type: 'warning'; readonly code: string; readonly text: string }

export function isWriterMessage(value: unknown): value is WriterMessage {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'warning'
}
