import { closeSync, openSync } from 'node:fs'
import { loadDriver } from '../store/driver.js'
import { migrate } from '../store/migrate.js'
import type { Store } from '../store/read.js'
import type { Choice } from './choice.js'
import { Cutting } from './cutting.js'
import { chooseRecords, type RecordTable } from './record-choice.js'

export interface CutOutOptions {
  /** Most bytes of the file. */
  readonly maxBytes: number
  /** With arguments, results and messages. */
  readonly content: boolean
  /** Name of the recording it is cut out of. */
  readonly recording: string
  /** Unix microseconds. */
  readonly nowUs: number
}

export interface CutOut {
  readonly records: Readonly<Record<RecordTable, number>>
  /** Records of the recording that are not in it. */
  readonly leftOut: Readonly<Record<RecordTable, number>>
  /** What it is and what it leaves out, in one line. */
  readonly text: string
}

/** Of the file: the schema and what frames the records half and half, then the exact totals. */
const FRAME_SHARE = 1 / 8
const TOTALS_SHARE = 1 / 8
const FILE_MODE = 0o600

/**
 * Makes a store of its own of some records of another one, with all that belongs to them: their processes, functions and
 * accounts, and of their time the exact totals, losses, stalls and incidents. It says of itself that it is a part: how
 * much was left out, and why, and an incident `cut_out` tells the rest.
 *
 * No step holds the other store open for longer than one short read.
 */
export function* cutOut(
  store: Store,
  choice: Choice,
  path: string,
  options: CutOutOptions,
): Generator<undefined, CutOut> {
  const recordBytes = options.maxBytes * (1 - FRAME_SHARE - TOTALS_SHARE)
  const chosen = yield* chooseRecords(store, choice, { maxBytes: recordBytes, content: options.content })
  closeSync(openSync(path, 'wx', FILE_MODE))
  const driver = loadDriver()
  const db = new driver(path, { fileMustExist: true })
  try {
    // It gets its name when it is whole; until then it need not survive anything.
    db.exec('PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF')
    migrate(db, path)
    db.exec('BEGIN')
    const cutting = new Cutting(store, db, choice, chosen, options)
    yield* cutting.copyRecords()
    yield* cutting.copyFrame(options.maxBytes * (FRAME_SHARE / 2), options.maxBytes * TOTALS_SHARE)
    const cut = cutting.sign()
    db.exec('COMMIT')
    return cut
  } finally {
    if (db.open) db.close()
  }
}
