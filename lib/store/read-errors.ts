import { ForeignStoreError } from './errors.js'

/** Why a store cannot be read. */
export type StoreReadCode =
  | 'CALLSIGHT_STORE_NEWER'
  | 'CALLSIGHT_STORE_OLDER'
  | 'CALLSIGHT_STORE_DAMAGED'
  | 'CALLSIGHT_STORE_UNREADABLE'
  | 'CALLSIGHT_STORE_CLOSED'

/** There is no file at the path. */
export class StoreNotFoundError extends Error {
  override readonly name = 'StoreNotFoundError'
  readonly code = 'CALLSIGHT_STORE_NOT_FOUND'
  readonly path: string

  constructor(path: string, options?: ErrorOptions) {
    super(
      `No recording at ${path}. Run your program with @monitor() first, or point --db (or CALLSIGHT_DB) at a calls.db.`,
      options,
    )
    this.path = path
  }
}

/** The file is ours but cannot be read; `code` tells why and the message what to do. */
export class StoreReadError extends Error {
  override readonly name = 'StoreReadError'
  readonly code: StoreReadCode

  constructor(code: StoreReadCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** A filter, an id or an SQL text was refused; the message says what is accepted. */
export class StoreQueryError extends Error {
  override readonly name = 'StoreQueryError'
  readonly code = 'CALLSIGHT_QUERY'
}

/** The error of a reader that meets something Callsight did not make. */
export function foreignStore(path: string, what: string, options?: ErrorOptions): ForeignStoreError {
  const advice = 'Point --db (or CALLSIGHT_DB) at a calls.db made by Callsight.'
  return new ForeignStoreError(path, what, { ...options, advice })
}
