import type { MessagePort } from 'node:worker_threads'
import type { Settings } from '../config/options.js'
import type { ClockAnchor } from '../queue/clock.js'
import type { NativeThread } from '../queue/process-identity.js'
import type { ImposedRule } from '../sampling/tuning.js'
import type { ShelvedLane } from './shelving.js'

/** One recording thread's memory, as the writer sees it. */
export interface LaneHandle {
  readonly ring: number
  readonly memory: SharedArrayBuffer
  readonly ringBytes: number
  readonly totals: SharedArrayBuffer
  /** The store beside which this thread keeps its journal. */
  readonly storePath: string
  /** `null`: the thread that owns the writer. It takes the writer with it when it ends. */
  readonly thread: NativeThread | null
}

/** Whether a message is a lane; anybody in the process can post to a channel. */
export function isLaneHandle(value: unknown): value is LaneHandle {
  if (typeof value !== 'object' || value === null) return false
  const { ring, memory, ringBytes, totals, storePath, thread } = value as Partial<LaneHandle>
  return (
    Number.isInteger(ring) &&
    memory instanceof SharedArrayBuffer &&
    totals instanceof SharedArrayBuffer &&
    Number.isInteger(ringBytes) &&
    typeof storePath === 'string' &&
    typeof thread === 'object'
  )
}

/** What the writer is started with. */
export interface DrainTask {
  readonly control: SharedArrayBuffer
  readonly lanes: readonly LaneHandle[]
  /** Journals of threads that ended while no writer lived. */
  readonly shelved: readonly ShelvedLane[]
  /** Lanes that the owner of the writer hears of later. */
  readonly inbox: MessagePort
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
  | 'storePath'
  | 'retentionMs'
  | 'maxBytes'
  | 'sweepIntervalMs'
  | 'drainIntervalMs'
  | 'breaker'
  | 'stallThresholdMs'
>

/** Something the user should know, said once per episode. */
export interface WriterWarning {
  readonly type: 'warning'
  readonly code: string
  readonly text: string
}

/** What the writer tells the recording thread. Everything that is a figure goes through the control block instead. */
export type WriterMessage =
  | WriterWarning
  /** What the store asks this process to change: all that is in force now. */
  | { readonly type: 'tunings'; readonly rules: readonly ImposedRule[] }

export function isWriterMessage(value: unknown): value is WriterMessage {
  if (typeof value !== 'object' || value === null || !('type' in value)) return false
  return (
    value.type === 'warning' || (value.type === 'tunings' && 'rules' in value && Array.isArray(value.rules))
  )
}
