import { ForeignStoreError, PublicError } from './errors.js'

/** Why a store cannot be read. */
export type StoreReadCode =
  | 'CALLSIGHT_STORE_NEWER'
  | 'CALLSIGHT_STORE_OLDER'
  | 'CALLSIGHT_STORE_DAMAGED'
  | 'CALLSIGHT_STORE_UNREADABLE'
  | 'CALLSIGHT_STORE_CLOSED'

/** There is no file at the path. */
export class StoreNotFoundError extends PublicError {
  /** @internal */
  static override readonly kind = 'StoreNotFoundError'
  override readonly name = 'StoreNotFoundError'
  readonly code = 'CALLSIGHT_STORE_NOT_FOUND'
  readonly path: string

  /** @param journals how many journals of errors lie where the file should be: a recorder was there, its writer was not */
  constructor(path: string, journals = 0) {
    super(
      journals === 0
        ? `No recording at ${path}. Run your program with @monitor() first, or point --db (or CALLSIGHT_DB) at a calls.db.`
        : `No recording at ${path}, but ${journals} ${journals === 1 ? 'journal' : 'journals'} of errors beside it: the ` +
            'writer could not store them. Run "callsight doctor" to see why; the next start of your program stores them.',
    )
    this.path = path
  }
}

/** The file is ours but cannot be read; `code` tells why and the message what to do. */
export class StoreReadError extends PublicError {
  /** @internal */
  static override readonly kind = 'StoreReadError'
  override readonly name = 'StoreReadError'
  readonly code: StoreReadCode

  constructor(code: StoreReadCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** The file is ours, and may not or cannot be changed now. */
export class StoreWriteError extends PublicError {
  /** @internal */
  static override readonly kind = 'StoreWriteError'
  override readonly name = 'StoreWriteError'
  readonly code = 'CALLSIGHT_STORE_NOT_WRITABLE'
}

/** A filter, an id or an SQL text was refused; the message says what is accepted. */
export class StoreQueryError extends PublicError {
  /** @internal */
  static override readonly kind = 'StoreQueryError'
  override readonly name = 'StoreQueryError'
  readonly code = 'CALLSIGHT_QUERY'
}

/** The error of a reader that meets something Callsight did not make. */
export function foreignStore(path: string, what: string, options?: ErrorOptions): ForeignStoreError {
  const advice = 'Point --db (or CALLSIGHT_DB) at a calls.db made by Callsight.'
  return new ForeignStoreError(path, what, { ...options, advice })
}
