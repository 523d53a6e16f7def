import { basename } from 'node:path'
import { identify } from './inspect.js'

/** SQLite keeps these open beside the database for as long as a connection is. */
const COMPANIONS = ['-wal', '-shm'] as const

/**
 * The files of an open store, as their names were understood when it was opened. A name that means another file now
 * means that what is written from then on cannot be found again, or not be read by other processes.
 */
export class OpenFiles {
  /** The {@link identify} of the database. */
  readonly database: string
  readonly #path: string
  readonly #names: readonly (readonly [path: string, seen: string])[]

  /** To be made when something has been written, for SQLite makes the companions only then. */
  constructor(path: string) {
    this.#path = path
    this.#names = [path, ...COMPANIONS.map(suffix => path + suffix)].flatMap(name => {
      const seen = identify(name)
      return seen === null ? [] : [[name, seen] as const]
    })
    this.database = identify(path) ?? ''
  }

  /** What has become of them in words, or `null` when every name still means what it did. */
  get lost(): string | null {
    for (const [path, seen] of this.#names) {
      const now = identify(path)
      if (now === seen) continue
      const what = path === this.#path ? path : `${basename(path)} of ${this.#path}`
      return `${what} was ${now === null ? 'removed' : 'replaced'}`
    }
    return null
  }
}
