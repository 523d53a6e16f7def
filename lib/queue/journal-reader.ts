import { closeSync, openSync, readSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import {
  JOURNAL_BODY_PREFIX_BYTES,
  JOURNAL_FRAME_HEADER_BYTES,
  JOURNAL_HEADER_BYTES,
  JOURNAL_MAGIC,
  JOURNAL_MAX_BODY_BYTES,
  type JournalHeader,
  KIND_SITE,
} from './journal-format.js'
import { Frame, FrameKind } from './layout.js'

/** One entry of a journal. `bytes` and `view` are only valid until the next read. */
export type JournalEntry =
  | { readonly kind: 'site'; readonly site: number; readonly name: string; readonly callsProduced: number }
  | {
      readonly kind: 'record'
      readonly bytes: Buffer
      readonly view: DataView
      readonly offset: number
      readonly callsProduced: number
    }

const CHUNK_BYTES = 256 * 1024

/**
 * Reads one journal segment front to back in bounded memory. It stops before the first frame that is not complete
 * and intact: while the owner lives that is a frame still being written, afterwards it is the torn end.
 */
export class JournalReader {
  readonly header: JournalHeader
  readonly #fd: number
  readonly #chunk = Buffer.alloc(CHUNK_BYTES)
  readonly #view = new DataView(this.#chunk.buffer, this.#chunk.byteOffset, CHUNK_BYTES)
  /** File position of `#chunk[0]`. */
  #chunkStart = 0
  #chunkBytes = 0
  #position = JOURNAL_HEADER_BYTES

  private constructor(fd: number, header: JournalHeader) {
    this.#fd = fd
    this.header = header
  }

  /** `null`: the file is no journal (wrong magic, torn or damaged header). */
  static open(path: string): JournalReader | null {
    const fd = openSync(path, 'r')
    let header: JournalHeader | null = null
    try {
      header = readHeader(fd)
    } finally {
      if (header === null) closeSync(fd)
    }
    return header === null ? null : new JournalReader(fd, header)
  }

  /** File position of the next entry. */
  get position(): number {
    return this.#position
  }

  /** Goes back (or forward) to a position that {@link position} gave. */
  seek(position: number): void {
    this.#position = position
  }

  /** The next complete entry, or `null` when there is none (yet). */
  next(): JournalEntry | null {
    const entry = this.#parse()
    if (entry !== null || this.#chunkBytes === 0) return entry
    // What was read ahead may be the rest of a write that was refused; the owner writes over it.
    this.#chunkBytes = 0
    return this.#parse()
  }

  #parse(): JournalEntry | null {
    const head = this.#load(JOURNAL_FRAME_HEADER_BYTES)
    if (head === -1) return null
    const bodyBytes = this.#chunk.readUInt32LE(head)
    const expected = this.#chunk.readUInt32LE(head + 4)
    if (bodyBytes < JOURNAL_BODY_PREFIX_BYTES + 16 || bodyBytes > JOURNAL_MAX_BODY_BYTES) return null
    const total = JOURNAL_FRAME_HEADER_BYTES + bodyBytes
    const at = this.#load(total)
    if (at === -1) return null
    const body = at + JOURNAL_FRAME_HEADER_BYTES
    if (crc32(this.#chunk.subarray(body, body + bodyBytes)) !== expected) return null
    const entry = this.#decode(body, bodyBytes)
    if (entry === null) return null
    this.#position += total
    return entry
  }

  close(): void {
    closeSync(this.#fd)
  }

  #decode(body: number, bodyBytes: number): JournalEntry | null {
    const callsProduced = this.#chunk.readDoubleLE(body)
    const offset = body + JOURNAL_BODY_PREFIX_BYTES
    const frameBytes = bodyBytes - JOURNAL_BODY_PREFIX_BYTES
    const size = this.#chunk.readUInt32LE(offset)
    const kind = this.#chunk.readUInt32LE(offset + 4) & 0xff
    if (size !== frameBytes) return null
    if (kind === KIND_SITE) {
      const nameBytes = this.#chunk.readUInt32LE(offset + 12)
      if (16 + nameBytes > size) return null
      return {
        kind: 'site',
        site: this.#chunk.readUInt32LE(offset + 8),
        name: this.#chunk.toString('utf8', offset + 16, offset + 16 + nameBytes),
        callsProduced,
      }
    }
    if (kind !== FrameKind.record || size < Frame.HEADER_BYTES) return null
    return { kind: 'record', bytes: this.#chunk, view: this.#view, offset, callsProduced }
  }

  /** Makes `bytes` bytes from the position available; returns their offset in the chunk, or -1 at the end of the file. */
  #load(bytes: number): number {
    const from = this.#position - this.#chunkStart
    if (from >= 0 && from + bytes <= this.#chunkBytes) return from
    this.#chunkStart = this.#position
    this.#chunkBytes = 0
    while (this.#chunkBytes < bytes) {
      const read = readSync(
        this.#fd,
        this.#chunk,
        this.#chunkBytes,
        CHUNK_BYTES - this.#chunkBytes,
        this.#chunkStart + this.#chunkBytes,
      )
      if (read === 0) return -1
      this.#chunkBytes += read
    }
    return 0
  }
}

function readHeader(fd: number): JournalHeader | null {
  const bytes = Buffer.alloc(JOURNAL_HEADER_BYTES)
  if (readSync(fd, bytes, 0, JOURNAL_HEADER_BYTES, 0) !== JOURNAL_HEADER_BYTES) return null
  if (bytes.readUInt32LE(0) !== JOURNAL_MAGIC) return null
  if (bytes.readUInt32LE(4) !== crc32(bytes.subarray(8))) return null
  return {
    boot: bytes.toString('latin1', 8, 24),
    ring: bytes.readUInt32LE(24),
    segment: bytes.readUInt32LE(28),
    pid: bytes.readUInt32LE(32),
    startTicks: bytes.readDoubleLE(40),
    originUnixUs: bytes.readDoubleLE(48),
  }
}
