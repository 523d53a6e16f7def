/** The failures of the store; their place in it is their number in shared memory. */
export const STORE_FAILURES = [
  'busy',
  'full',
  'corrupt',
  'io',
  'readonly',
  'data',
  'gone',
  'pinned',
  'other',
] as const satisfies readonly StoreFailure[]

/** What went wrong with the store, in the terms the writer decides by. */
export type StoreFailure =
  /** Another connection holds the lock: worth another try. */
  | 'busy'
  /** No space left for the file. */
  | 'full'
  /** The file is damaged or not a database: set it aside. */
  | 'corrupt'
  /** A read, write or sync failed. */
  | 'io'
  /** The file or its folder may not be written. */
  | 'readonly'
  /** SQLite refused the values of this row; the store itself is fine. */
  | 'data'
  /** The file, its folder or the connection is not there any more: open again. */
  | 'gone'
  /** A reader holds the write-ahead log at its cap: the store itself is fine. */
  | 'pinned'
  | 'other'

const WRITER_ADVICE =
  'Choose another path with CALLSIGHT_DB or configure({ store: { path } }), or move it away.'

/**
 * An error that apps tell by its class. The readers are a program with classes of their own (open-store.ts), so one of
 * the same name is one of the same class.
 */
export abstract class PublicError extends Error {
  /**
   * What its errors say in `name`. The name of the class itself may be another one after the app's bundler.
   * @internal
   */
  static readonly kind: string

  static override [Symbol.hasInstance](value: unknown): boolean {
    // Own: a class of the app that extends one of these inherits the kind, and is another.
    // biome-ignore lint/complexity/noThisInStatic: it is asked of the classes that extend this one
    return super[Symbol.hasInstance](value) || (Object.hasOwn(this, 'kind') && isOfKind(value, this.kind))
  }
}

function isOfKind(value: unknown, kind: string): boolean {
  return value instanceof Error && codeOf(value).startsWith('CALLSIGHT_') && value.name === kind
}

/** The path holds something that is not a Callsight store. It was left as it is. */
export class ForeignStoreError extends PublicError {
  /** @internal */
  static override readonly kind = 'ForeignStoreError'
  override readonly name = 'ForeignStoreError'
  readonly code = 'CALLSIGHT_STORE_FOREIGN'
  readonly path: string

  /** @param options `advice`: what to do, for whom the error is raised; default for the recorder */
  constructor(path: string, what: string, options: ErrorOptions & { readonly advice?: string } = {}) {
    super(`${path} ${what}; it was left untouched. ${options.advice ?? WRITER_ADVICE}`, options)
    this.path = path
  }
}

/** The store was written by a newer Callsight than this one. It was left as it is. */
export class SchemaTooNewError extends Error {
  override readonly name = 'SchemaTooNewError'
  readonly code = 'CALLSIGHT_SCHEMA_TOO_NEW'
  readonly found: number
  readonly supported: number

  constructor(path: string, found: number, supported: number) {
    super(
      `${path} has schema version ${found}, this Callsight knows versions up to ${supported}. ` +
        'Update callsight, or choose another path with CALLSIGHT_DB.',
    )
    this.found = found
    this.supported = supported
  }
}

/** The place of the store cannot hold one: folder, permissions, or a pragma SQLite did not accept. */
export class StoreSetupError extends Error {
  override readonly name = 'StoreSetupError'
  readonly code = 'CALLSIGHT_STORE_SETUP'
}

/** better-sqlite3 cannot be loaded. */
export class DriverError extends PublicError {
  /** @internal */
  static override readonly kind = 'DriverError'
  override readonly name = 'DriverError'
  readonly code = 'CALLSIGHT_DRIVER'
}

/** A connection that reads keeps the write-ahead log from being cut, and it has reached its cap. */
export class WalPinnedError extends Error {
  override readonly name = 'WalPinnedError'
  readonly code = 'CALLSIGHT_WAL_PINNED'

  constructor(path: string, capBytes: number) {
    super(
      `Another connection has kept a read transaction open on ${path} for so long that its write-ahead log has ` +
        `reached ${Math.round(capBytes / 1024 ** 2)} MiB. End that transaction, or close that program.`,
    )
  }
}

/** The check of a store that was not closed well has found damage. */
export class DamagedStoreError extends Error {
  override readonly name = 'DamagedStoreError'
  readonly code = 'CALLSIGHT_STORE_DAMAGED'
}

/** The reserve had to be given, and there is no room for another: what it freed is for errors. */
export class DiskFullError extends Error {
  override readonly name = 'DiskFullError'
  readonly code = 'CALLSIGHT_DISK_FULL'

  constructor(path: string, bytes: number) {
    super(
      `The disk is full: beside ${path} there is no room for a reserve of ${Math.ceil(bytes / 1024)} KiB.`,
    )
  }
}

/** Which record a {@link BadRowError} is about. */
export interface BadRow {
  readonly table: 'calls' | 'errors'
  readonly functionId: number
  readonly processId: number
  readonly call: number
}

/** SQLite refuses this one record (too big, wrong type); any other record can still be stored. */
export class BadRowError extends Error {
  override readonly name = 'BadRowError'
  readonly code = 'CALLSIGHT_BAD_ROW'
  readonly row: BadRow

  constructor(row: BadRow, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    super(`call ${row.call} of function ${row.functionId} cannot be stored in ${row.table}: ${reason}`, {
      cause,
    })
    this.row = row
  }
}

/** A COMMIT after which the batch is not in the file. Nothing of the batch counts as stored. */
export class CommitLostError extends Error {
  override readonly name = 'CommitLostError'
  readonly code = 'CALLSIGHT_COMMIT_LOST'

  constructor(what: string) {
    super(`${what}; the batch has to be written again.`)
  }
}

export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** Sorts any error of the store by what can be done about it; looks into `cause` for wrapped ones. */
export function classify(error: unknown): StoreFailure {
  if (error instanceof BadRowError) return 'data'
  if (error instanceof WalPinnedError) return 'pinned'
  if (error instanceof DamagedStoreError) return 'corrupt'
  if (error instanceof DiskFullError) return 'full'
  if (error instanceof StoreSetupError && error.cause !== undefined) return classify(error.cause)
  const code = codeOf(error)
  const base = /^SQLITE_[A-Z]+/.exec(code)?.[0]
  switch (base ?? code) {
    case 'SQLITE_BUSY':
    case 'SQLITE_LOCKED':
    case 'SQLITE_PROTOCOL':
      return 'busy'
    case 'SQLITE_FULL':
    case 'ENOSPC':
    case 'EDQUOT':
      return 'full'
    case 'SQLITE_CORRUPT':
    case 'SQLITE_NOTADB':
      return 'corrupt'
    case 'SQLITE_IOERR':
    case 'EIO':
      return 'io'
    case 'SQLITE_READONLY':
      return code === 'SQLITE_READONLY_DBMOVED' ? 'gone' : 'readonly'
    case 'SQLITE_PERM':
    case 'EROFS':
    case 'EACCES':
    case 'EPERM':
      return 'readonly'
    case 'SQLITE_TOOBIG':
    case 'SQLITE_MISMATCH':
    case 'SQLITE_CONSTRAINT':
      return 'data'
    case 'SQLITE_CANTOPEN':
    case 'ENOENT':
    case 'ENOTDIR':
      return 'gone'
    default:
      // better-sqlite3 gives its own TypeError, without a code, for a connection that was closed.
      return error instanceof TypeError && error.message.includes('connection is not open') ? 'gone' : 'other'
  }
}
