/**
 * Everything a user can set, in reading order: what one monitored function takes, what the whole recorder
 * takes, and the resolved shape the rest of the code works with. Defaults are in `defaults.ts` and nowhere else.
 */

/** A length of time: milliseconds as a number, or a number with a unit such as `'250ms'`, `'10m'`, `'6h'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

/** What is kept of a group of values: the values, only their types and sizes, or nothing. */
export type CaptureMode = boolean | 'types'

/** Which values of a call are captured. */
export interface CaptureOptions {
  /** The arguments. Default `true`. */
  readonly args?: CaptureMode
  /** The returned (or resolved) value. Default `true`. */
  readonly result?: CaptureMode
}

/** Options that can be changed while the program runs, by {@link tune}. */
export interface TuneOptions {
  /** Share of ordinary calls that is recorded, 0 to 1. Errors and slow calls are recorded whatever it says. Default 1. */
  readonly sample?: number
  /** Upper limit of recorded ordinary calls per second for one function, applied last. Default: no limit. */
  readonly maxPerSecond?: number
  /** A call that takes at least this long is always recorded. Default `'1s'`; `false` turns the rule off. */
  readonly slow?: Duration | false
  readonly capture?: CaptureOptions
}

/** How long a change by {@link tune} holds. */
export interface TuneDuration {
  /** Default: until the process ends. */
  readonly for?: Duration
}

/** Options of one monitored function. */
export interface MonitorOptions extends TuneOptions {
  /** Name of the call site. Default: `Class.method`, or the function's own name. */
  readonly name?: string
  /**
   * Values to hide: an argument position (`0`), a key name (`'pin'`, or `/^card/i` for several), or a path
   * (`'card.number'`), in addition to the default list. A regular expression is tested against each key name as it is
   * written, at most its first 256 characters; its flags `g` and `y` are ignored.
   */
  readonly redact?: readonly (number | string | RegExp)[]
  /**
   * `'exact'` (default) times every call; `'sampled'` times only the calls that are recorded, so an unsampled
   * call costs no clock read. With `'sampled'` the slow rule and the latency percentiles see recorded calls only.
   */
  readonly timing?: 'exact' | 'sampled'
}

/** Where a key name was found. */
export interface RedactContext {
  /** Name of the call site, such as `Orders.place`. */
  readonly function: string
}

/**
 * Says whether the values under a key name are hidden. It is given names only, never a value: keys of objects, string
 * keys of Maps and names of URL parameters, at most their first 256 characters; never a key in which a secret was
 * found (its value is hidden without asking). Asked once for each name and call site, as long as the name is
 * remembered (4,096 names of at most 64 characters). If it throws, the value is hidden.
 */
export type RedactPredicate = (key: string, where: RedactContext) => boolean

/**
 * Members by name: a text with `*` for any run of characters and `?` for one, an expression, or the symbol that is
 * the key. A symbol's name is `[description]`.
 */
export type MemberPattern = string | symbol | RegExp

/** Options of `@monitor()` on a whole class. */
export interface ClassOptions extends MonitorOptions {
  /** What stands before the dot in the names of the call sites. Default: the name of the class. */
  readonly name?: string
  /** Members that are not monitored. Default: none. */
  readonly exclude?: readonly MemberPattern[]
}

/** Options of {@link monitorAll}. */
export interface MonitorAllOptions extends ClassOptions {
  /**
   * What stands before the dot in the names of the call sites. Default: the name of the object's class, nothing for
   * plain objects and modules.
   */
  readonly name?: string
  /**
   * Also the functions the object inherits, up to but not including `Object.prototype`: this one object gets monitored
   * ones of its own. Default `false`.
   */
  readonly inherited?: boolean
  /**
   * Also the methods of classes among the members, in place: everybody who uses the class gets the monitored ones. The
   * pattern is then compared with `Class.method`. Default `false`.
   */
  readonly classes?: boolean
}

/** Options of {@link configure}. */
export interface CallsightOptions extends TuneOptions {
  /** `false` turns recording off. Default `true`, or what `CALLSIGHT` says. */
  readonly enabled?: boolean
  readonly store?: {
    /** Path of the SQLite file. Default `.callsight/calls.db` in the working directory, or `CALLSIGHT_DB`. */
    readonly path?: string
    /** How long records are kept. Default `'6h'`. */
    readonly retention?: Duration
    /**
     * Upper limit of the store's size in bytes; the oldest ordinary calls go first, errors last. Default 1 GiB. While
     * the store cannot be written, the journals of a process may take as much again, at most 1 GiB.
     */
    readonly maxBytes?: number
    /** Time between two sweeps. Default `'10s'`. */
    readonly sweepInterval?: Duration
  }
  readonly writer?: {
    /** Longest time a record waits before it is drained, in milliseconds. Default 100. */
    readonly drainIntervalMs?: number
    /** Memory of the ring of one thread in bytes, a power of two from 64 KiB to 1 GiB. Default 8 MiB. */
    readonly ringBytes?: number
    /** Longest time the end of the process waits for the last batch, in milliseconds. Default 2,000. */
    readonly exitTimeoutMs?: number
  }
  readonly breaker?: {
    /** Consecutive failures that open the circuit. Default 3. */
    readonly failureThreshold?: number
    /** Time the circuit stays open, in milliseconds. Default 30,000. */
    readonly resetTimeoutMs?: number
    /** Successes in half-open state that close the circuit. Default 1. */
    readonly successThreshold?: number
  }
  readonly stalls?: {
    /**
     * A main thread whose event loop has not turned for longer than this is stuck: that is recorded while it is stuck,
     * with the monitored calls on its stack. At least 100 ms; default `'500ms'`; `false` turns the watch off.
     */
    readonly threshold?: Duration | false
  }
  readonly errors?: {
    /** Full error records (stack, cause, arguments) per second and thread; beyond it a record shrinks to its header. Default 1,000. */
    readonly fullPerSecond?: number
  }
  readonly redact?: {
    /** Key names to hide in addition to the default list; a regular expression as in {@link MonitorOptions.redact}. */
    readonly keys?: readonly (string | RegExp)[]
    /** Names of the default list that may be shown. */
    readonly allow?: readonly string[]
    /** Hides values by a function of your own, on top of all lists. It runs while a call is captured: keep it short. */
    readonly when?: RedactPredicate
  }
  readonly limits?: Partial<Limits>
  /** Flush on SIGTERM and SIGINT before the process ends. Default `true`. */
  readonly signals?: boolean
}

/** Bounds of what is captured of one group of values (the arguments, the result, an error). */
export interface Limits {
  /** Levels of nesting below an argument. Default 3. */
  readonly depth: number
  /** Keys of one object. Default 20. */
  readonly fields: number
  /** Items of one list, map or set. Default 100. */
  readonly items: number
  /** A longer list is recorded by its length only. Default 1,000. */
  readonly listItems: number
  /** UTF-16 units of one string. Default 255. */
  readonly stringLength: number
  /** Values visited in one group. Default 1,000. */
  readonly nodes: number
  /** Bytes of one group of values. Default 4,096. */
  readonly bytes: number
  /** UTF-16 units of one error stack. Default 4,000. */
  readonly stackLength: number
  /** Causes followed below one error. Default 5. */
  readonly causes: number
}

/** {@link CallsightOptions} with every default filled in and every unit fixed. */
export interface Settings {
  readonly enabled: boolean
  readonly storePath: string
  readonly retentionMs: number
  readonly maxBytes: number
  /** What the journals of one process may take on disk, in bytes. */
  readonly journalMaxBytes: number
  readonly sweepIntervalMs: number
  readonly drainIntervalMs: number
  readonly ringBytes: number
  readonly exitTimeoutMs: number
  readonly breaker: {
    readonly failureThreshold: number
    readonly resetTimeoutMs: number
    readonly successThreshold: number
  }
  /** `Infinity`: the event loop is not watched. */
  readonly stallThresholdMs: number
  readonly fullErrorsPerSecond: number
  readonly redactKeys: readonly (string | RegExp)[]
  readonly allowKeys: readonly string[]
  /** `null`: none. */
  readonly redactWhen: RedactPredicate | null
  readonly limits: Limits
  readonly signals: boolean
  readonly site: SiteSettings
}

/** The resolved settings of one call site. */
export interface SiteSettings {
  readonly sample: number
  /** `Infinity`: no limit. */
  readonly maxPerSecond: number
  /** `Infinity`: the rule is off. */
  readonly slowMs: number
  readonly captureArgs: CaptureMode
  readonly captureResult: CaptureMode
  readonly timing: 'exact' | 'sampled'
}
