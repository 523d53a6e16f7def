import type { RecordedCall } from '../store/queries/record-slices.js'
import type { ErrorDetail, StallRow } from '../store/queries/statements.js'

/** Rows as they are read: the oldest first, some hundred at a time. A format keeps no slice longer than it needs it. */
export type Slices<Row> = Iterable<readonly Row[]>

/** What a file says of itself. */
export interface Heading {
  /** Of callsight. */
  readonly version: string
  /** Name of the recording. */
  readonly recording: string
  /** What the recording does not contain, in one line. */
  readonly notShown: string
}

/** Rows in a table, of either kind of record. */
export interface RowFormat {
  /** Pieces of the file, in order. */
  rows<Row extends object>(slices: Slices<Row>, columns: readonly (keyof Row & string)[]): Generator<string>
}

/** Calls in time. */
export interface TimelineFormat {
  timeline(calls: Slices<RecordedCall>, stalls: readonly StallRow[], heading: Heading): Generator<string>
}

/** The columns of the view `recent_calls`. */
export const CALL_COLUMNS = [
  'at',
  'function',
  'outcome',
  'duration_ms',
  'args',
  'result',
  'weight',
  'trace_id',
  'parent_id',
  'call_id',
  'process',
  'shape',
  'recorded',
  'cuts',
] as const satisfies readonly (keyof RecordedCall)[]

/** The columns of the view `recent_errors`, and `details`, which no view has. */
export const ERROR_COLUMNS = [
  'at',
  'function',
  'error',
  'message',
  'duration_ms',
  'args',
  'stack',
  'trace_id',
  'call_id',
  'process',
  'shape',
  'parent_id',
  'fingerprint',
  'cuts',
  'details',
] as const satisfies readonly (keyof ErrorDetail)[]
