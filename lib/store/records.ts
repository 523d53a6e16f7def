/** What the writer stores besides call rows, which travel as plain arguments because they are many. */
export interface ProcessInfo {
  /** 16 hex digits, random per recorder start. */
  readonly boot: string
  readonly pid: number
  readonly script: string
  readonly host: string
  readonly nodeVersion: string
  /** Version of callsight. */
  readonly version: string
  readonly startedUs: number
}

/** `'clean'`, or `'lost'` when a later start found the process dead. */
export type Ending = 'clean' | 'lost'

export interface ErrorRow {
  readonly endUs: number
  /** 0 to 2,047: keeps records of the same microsecond apart. */
  readonly salt: number
  readonly functionId: number
  readonly processId: number
  readonly ring: number
  readonly seq: number
  readonly durationNs: number
  readonly call: number
  readonly trace: number
  /** 0 = none. */
  readonly parent: number
  readonly flags: number
  /** JSON: type and size of each argument. */
  readonly shape: Buffer | string | null
  /** JSON. */
  readonly args: Buffer | string | null
  /** Class name of what was thrown. */
  readonly error: string
  readonly message: string
  readonly stack: string | null
  /** JSON. */
  readonly details: Buffer | string | null
  readonly fingerprint: string
  /** JSON. */
  readonly cuts: string | null
}

/** What one second of one function adds to its totals. */
export interface SecondDelta {
  readonly calls: number
  readonly errors: number
  readonly timed: number
  readonly durationSumNs: number
}

/** What one minute of one function adds to its totals. */
export interface TotalsDelta extends SecondDelta {
  readonly kept: number
  readonly durationMaxNs: number
  /** Calls by latency bucket. */
  readonly buckets: ReadonlyMap<number, number>
}

export interface LaneState {
  readonly stored: number
  readonly storedSeq: number
}

/** Bytes of a segment of an error journal. */
export interface JournalRange {
  readonly first: number
  /** The byte behind the last one. */
  readonly behind: number
}
