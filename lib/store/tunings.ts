/** A change as its row has it; `null` where that is no text, or far too long to be one. */
export interface StoredTuning {
  readonly id: number
  readonly pattern: string | null
  /** JSON. */
  readonly options: string | null
  /** pid, `script[pid]` or boot id of the one process it is for. */
  readonly process: string | null
  readonly createdUs: number
  readonly expiresUs: number
  readonly createdBy: string
}

/** Changes in force at a time, of one file. */
export const MAX_TUNINGS = 50
/** Newest rows that are looked at. Whoever adds one makes room among those that are over, so that none in force is older. */
export const MAX_TUNING_ROWS = 1_000
const MAX_PATTERN_BYTES = 1_024
const MAX_OPTIONS_BYTES = 4_096
const MAX_NAME_LENGTH = 300

const short = (column: string, bytes: number) =>
  `CASE WHEN octet_length(${column}) <= ${bytes} THEN ${column} END`

/** Anybody who may write the file may have written anything there. */
export const RECENT_TUNINGS = `(SELECT tuning_id AS id, ${short('pattern', MAX_PATTERN_BYTES)} AS pattern,
    ${short('options', MAX_OPTIONS_BYTES)} AS options, substr(process, 1, ${MAX_NAME_LENGTH}) AS process,
    created_us AS createdUs, expires_us AS expiresUs, cleared_us AS clearedUs,
    substr(created_by, 1, ${MAX_NAME_LENGTH}) AS createdBy
  FROM tunings ORDER BY tuning_id DESC LIMIT ${MAX_TUNING_ROWS})`

/** {@link StoredTuning}s, oldest first. Which of them have expired is for the reader's clock to say. */
export const UNCLEARED_TUNINGS_SQL = `SELECT id, pattern, options, process, createdUs, expiresUs, createdBy
  FROM ${RECENT_TUNINGS} WHERE clearedUs IS NULL ORDER BY id`

/** Whether a name stands for this process: its pid, `script[pid]`, or its boot id. */
export function isProcess(
  name: string,
  { pid, script, boot }: { readonly pid: number; readonly script: string; readonly boot: string },
): boolean {
  return name === String(pid) || name === `${script}[${pid}]` || name === boot
}
