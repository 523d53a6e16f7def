/**
 * What the threads of one process know of each other before they exchange a word: the main thread leaves it in its
 * environment data, of which every worker thread gets a copy when it is started.
 */
import { getEnvironmentData, type Serializable, setEnvironmentData, threadId } from 'node:worker_threads'
import type { CallsightOptions } from '../config/options.js'
import type { ClockAnchor } from '../queue/clock.js'
import { OWN_VERSION } from './own-version.js'

/** The recorder of the process, whose writer all threads share. */
export interface ProcessRecorder {
  /** 16 hex digits that no other recorder start has. */
  readonly boot: string
  readonly control: SharedArrayBuffer
  readonly anchor: ClockAnchor
  /** Where the path of the store stands (shared-store-path.ts). */
  readonly storePath: SharedArrayBuffer
}

/** What a worker thread inherits. */
export interface Inheritance {
  /** `CALLSIGHT=off` holds for the main thread. */
  readonly off: boolean
  /** What the main thread was configured with, as far as another thread can be given it. */
  readonly options: CallsightOptions
  /** The main thread has a `redact.when`, which no other thread can be given. */
  readonly hasPredicate: boolean
  /** What `CALLSIGHT_DB` says in the main thread; a worker whose own says the same has not been told anything else. */
  readonly storePathInEnvironment: string | null
  /** What the main thread found wrong in its environment, and says by itself. */
  readonly environmentWarnings: readonly string[]
  /** `null`: the main thread has no writer to share. */
  readonly recorder: ProcessRecorder | null
}

// Memory and messages are understood by the same version only; another one in this process has a writer of its own.
const LINK = `callsight ${OWN_VERSION}`
const CLAIM = `${LINK} claim`

/** What stands in the environment data. */
interface Will {
  readonly inheritance: Inheritance | null
}

let heirless = false

/**
 * Lets worker threads that are started from now on inherit what `current` says at that moment. It is asked inside of
 * `new Worker()`: the environment data are cloned there, and that reads getters. So a program without worker threads
 * pays for none of it.
 */
export function bequeath(current: () => Omit<Inheritance, 'hasPredicate'>): void {
  const will: Will = {
    get inheritance() {
      if (heirless) return null
      try {
        const inheritance = current()
        const { options } = inheritance
        return {
          ...inheritance,
          options: cloneable(options),
          hasPredicate: options.redact?.when !== undefined,
        }
      } catch {
        // Must not make `new Worker()` throw; that thread will have a writer of its own.
        return null
      }
    },
  }
  setEnvironmentData(LINK, will as unknown as Serializable)
}

/** Starts a thread that does not record. */
export function withoutHeir(start: () => void): void {
  heirless = true
  try {
    start()
  } finally {
    heirless = false
  }
}

/** What this worker thread inherits; `null` when it was started before the main thread had loaded Callsight. */
export function inherit(): Inheritance | null {
  return (getEnvironmentData(LINK) as unknown as Will | undefined)?.inheritance ?? null
}

/**
 * Takes the ring of this thread in the shared recorder. `false`: another copy of this module, loaded into the same
 * thread, has it already; two producers of one ring would give out the same sequence numbers.
 */
export function claimRing(boot: string): boolean {
  const claim = `${boot} ${threadId}`
  // A worker inherits the claim of the thread that started it, so the thread is part of it.
  if (getEnvironmentData(CLAIM) === claim) return false
  setEnvironmentData(CLAIM, claim)
  return true
}

/** The part of options that another thread can be given: a function among them must not make `new Worker()` throw. */
function cloneable(options: CallsightOptions): CallsightOptions {
  return copy(options) as CallsightOptions
}

function copy(value: unknown): unknown {
  if (typeof value === 'function' || typeof value === 'symbol') return undefined
  if (Array.isArray(value)) return value.map(copy).filter(item => item !== undefined)
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof RegExp) return value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, copy(member)]))
}
