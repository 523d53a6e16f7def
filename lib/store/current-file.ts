import { StoreReadError } from './read-errors.js'
import { ReadFile } from './read-file.js'

/** The file that a path names now: when the recorder has started a new one there, the next question is for that. */
export class CurrentFile {
  /** Absolute. */
  readonly path: string
  readonly #given: string
  readonly #beforeRead: (() => void) | undefined
  #file: ReadFile | null

  /** @throws as {@link ReadFile.open} */
  constructor(given: string, beforeRead: (() => void) | undefined) {
    this.#given = given
    this.#beforeRead = beforeRead
    this.#file = ReadFile.open(given, beforeRead)
    this.path = this.#file.path
  }

  /** @throws StoreReadError when it is closed */
  get(): ReadFile {
    if (this.#file === null) {
      throw new StoreReadError(
        'CALLSIGHT_STORE_CLOSED',
        'The store is closed. Open it again with openStore().',
      )
    }
    if (!this.#file.isCurrent()) {
      const next = ReadFile.open(this.#given, this.#beforeRead)
      this.#file.close()
      this.#file = next
    }
    return this.#file
  }

  /** The way to the file of now, for work in several steps: it throws as soon as the path names another one. */
  pinned(): () => ReadFile {
    const file = this.get()
    return () => {
      if (this.get() === file) return file
      throw new StoreReadError(
        'CALLSIGHT_STORE_UNREADABLE',
        `${this.path} was replaced while it was being read. Run it again to read the new one.`,
      )
    }
  }

  close(): void {
    this.#file?.close()
    this.#file = null
  }
}
