import { clearLine, cursorTo } from 'node:readline'

/** One line on a terminal that says what runs; nothing where nobody looks. */
export class Progress {
  readonly #stream: NodeJS.WriteStream

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.#stream = stream
  }

  show(text: string): void {
    this.clear()
    if (this.#stream.isTTY) this.#stream.write(text.slice(0, this.#stream.columns - 1))
  }

  clear(): void {
    if (!this.#stream.isTTY) return
    clearLine(this.#stream, 0)
    cursorTo(this.#stream, 0)
  }
}
