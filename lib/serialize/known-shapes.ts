/** msgpack of the shape of some arguments, and its JSON text. */
interface KnownShape {
  readonly bytes: Uint8Array
  readonly text: string
}

/**
 * The shape last seen of each call site. Most functions are called with arguments of the same shape again and again:
 * comparing some twenty bytes is several times cheaper than writing them as text.
 */
export class KnownShapes {
  readonly #bySite: (KnownShape | undefined)[] = []

  /** What stands at `at` begins with the shape last seen of this site. Sites of two threads may share a number. */
  find(site: number, bytes: Uint8Array, at: number, end: number): KnownShape | null {
    const known = this.#bySite[site]
    if (known === undefined) return null
    const length = known.bytes.length
    if (length > end - at) return null
    for (let i = 0; i < length; i++) if (known.bytes[i] !== bytes[at + i]) return null
    return known
  }

  remember(site: number, bytes: Uint8Array, at: number, end: number, text: string): void {
    // A copy: the slice of a Buffer, as the journal is read into, would change with its next records.
    this.#bySite[site] = { bytes: new Uint8Array(bytes.subarray(at, end)), text }
  }
}
