import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import {
  frameSeed,
  JOURNAL_BODY_PREFIX_BYTES,
  JOURNAL_FRAME_HEADER_BYTES,
  JOURNAL_HEADER_BYTES,
  JOURNAL_MAGIC,
  JOURNAL_MAGIC_UNTIED,
  JOURNAL_MAX_BODY_BYTES,
  type JournalHeader,
  type JournalName,
  KIND_SITE,
} from './journal-format.js'
import { Frame, FrameKind } from './layout.js'

/** One entry of a journal. `bytes` and `view` are only valid until the next read. */
export type JournalEntry =
  | { readonly kind: 'site'; readonly site: number; readonly name: string; readonly callsProduced: number }
  | JournalRecord
  /** Bytes from `at` on that are no frame and were passed over. */
  | { readonly kind: 'damage'; readonly at: number; readonly bytes: number }

export interface JournalReaderOptions {
  /**
   * `alive`: the owner may be writing; bytes at the end that are no frame are waited for. `gone`: they are damage.
   * Default `alive`.
   */
  readonly owner?: 'alive' | 'gone'
  /** What the file's name says: with it a segment can be read whose header is damaged. */
  readonly name?: JournalName
  /** Memory to read into, {@link JOURNAL_CHUNK_BYTES} long, for whoever reads many journals one after the other. */
  readonly chunk?: Buffer
}

export interface JournalRecord {
  readonly kind: 'record'
  readonly bytes: Buffer
  readonly view: DataView
  /** Of the record's frame in `bytes`. */
  readonly offset: number
  readonly callsProduced: number
}

export const JOURNAL_CHUNK_BYTES = 256 * 1024
const SMALLEST_SITE_BYTES = 16
/** Bytes that one call of `next` looks at in search of an intact frame. */
const SEARCH_BYTES = 1024 * 1024
/** Length and checksum, then the body up to the kind of the frame in it. */
const FRAME_START_BYTES = JOURNAL_FRAME_HEADER_BYTES + JOURNAL_BODY_PREFIX_BYTES + 8

/**
 * Reads one journal segment front to back in bounded memory. What is damaged costs only itself: reading goes on at the
 * next frame whose checksum holds, and what was passed over is told as an entry of its own.
 */
export class JournalReader {
  /** `null`: it is damaged. */
  readonly header: JournalHeader | null
  readonly #fd: number
  readonly #ownerIsGone: boolean
  readonly #seed: number
  readonly #chunk: Buffer
  readonly #view: DataView
  /** File position of `#chunk[0]`. */
  #chunkStart = 0
  #chunkBytes = 0
  #position = JOURNAL_HEADER_BYTES

  private constructor(fd: number, found: FoundHeader, ownerIsGone: boolean, chunk: Buffer) {
    this.#fd = fd
    this.header = found.header
    this.#seed = found.seed
    this.#ownerIsGone = ownerIsGone
    this.#chunk = chunk
    this.#view = new DataView(chunk.buffer, chunk.byteOffset, chunk.length)
  }

  /** `null`: the file is no journal (wrong magic, torn or damaged header), and it is not known which one it should be. */
  static open(path: string, options: JournalReaderOptions = {}): JournalReader | null {
    const fd = openSync(path, 'r')
    let found: FoundHeader | null = null
    try {
      found = readHeader(fd, options.name)
    } finally {
      if (found === null) closeSync(fd)
    }
    if (found === null) return null
    const { owner, chunk = Buffer.alloc(JOURNAL_CHUNK_BYTES) } = options
    return new JournalReader(fd, found, owner === 'gone', chunk)
  }

  /** File position of the next entry. */
  get position(): number {
    return this.#position
  }

  /** Bytes of the file as it is now. */
  get fileBytes(): number {
    return fstatSync(this.#fd).size
  }

  /** Goes back (or forward) to a position that {@link position} gave. */
  seek(position: number): void {
    this.#position = position
  }

  /** The next complete entry, or `null` when there is none (yet). */
  next(): JournalEntry | null {
    const entry = this.#take(this.#position)
    if (entry !== null || this.#chunkBytes === 0) return entry
    // What was read ahead may be the rest of a write that was refused; the owner writes over it.
    this.#chunkBytes = 0
    return this.#take(this.#position) ?? this.#passOver()
  }

  close(): void {
    closeSync(this.#fd)
  }

  #take(position: number): JournalEntry | null {
    const entry = this.#parse(position)
    if (entry === null) return null
    this.#position = position + entry.frameBytes
    return entry.entry
  }

  #parse(position: number): { readonly entry: JournalEntry; readonly frameBytes: number } | null {
    const head = this.#load(position, JOURNAL_FRAME_HEADER_BYTES)
    if (head === -1) return null
    const bodyBytes = this.#chunk.readUInt32LE(head)
    const expected = this.#chunk.readUInt32LE(head + 4)
    if (!isBodySize(bodyBytes)) return null
    const frameBytes = JOURNAL_FRAME_HEADER_BYTES + bodyBytes
    const at = this.#load(position, frameBytes)
    if (at === -1) return null
    const body = at + JOURNAL_FRAME_HEADER_BYTES
    if (crc32(this.#chunk.subarray(body, body + bodyBytes), this.#seed) !== expected) return null
    const entry = this.#decode(body, bodyBytes)
    return entry === null ? null : { entry, frameBytes }
  }

  #decode(body: number, bodyBytes: number): JournalEntry | null {
    const callsProduced = this.#chunk.readDoubleLE(body)
    const offset = body + JOURNAL_BODY_PREFIX_BYTES
    const size = this.#chunk.readUInt32LE(offset)
    const kind = this.#chunk.readUInt32LE(offset + 4) & 0xff
    if (!isFrameOf(bodyBytes, size, kind)) return null
    if (kind === FrameKind.record) {
      return { kind: 'record', bytes: this.#chunk, view: this.#view, offset, callsProduced }
    }
    const nameBytes = this.#chunk.readUInt32LE(offset + 12)
    if (SMALLEST_SITE_BYTES + nameBytes > size) return null
    return {
      kind: 'site',
      site: this.#chunk.readUInt32LE(offset + 8),
      name: this.#chunk.toString('utf8', offset + 16, offset + 16 + nameBytes),
      callsProduced,
    }
  }

  /** At a position where no frame begins: goes on to the next one that is intact. */
  #passOver(): JournalEntry | null {
    const from = this.#position
    const { found, at } = this.#search(from + 1)
    if (found) {
      // While the owner lives, only this tells: the one in front was complete before the one behind it was begun.
      this.#chunkBytes = 0
      const late = this.#take(from)
      if (late !== null) return late
    } else if (!this.#ownerIsGone) return null
    this.#position = at
    return at === from ? null : { kind: 'damage', at: from, bytes: at - from }
  }

  /** Looks for an intact frame, in a bounded number of bytes; without one `at` is where the search ended. */
  #search(from: number): { readonly found: boolean; readonly at: number } {
    let budget = SEARCH_BYTES
    let at = from
    for (; budget > 0; at++) {
      const start = this.#load(at, FRAME_START_BYTES)
      if (start === -1) return { found: false, at: Math.max(this.fileBytes, from - 1) }
      budget--
      const bodyBytes = this.#chunk.readUInt32LE(start)
      if (!isBodySize(bodyBytes)) continue
      const frame = start + JOURNAL_FRAME_HEADER_BYTES + JOURNAL_BODY_PREFIX_BYTES
      const kind = this.#chunk.readUInt32LE(frame + 4) & 0xff
      if (!isFrameOf(bodyBytes, this.#chunk.readUInt32LE(frame), kind)) continue
      budget -= bodyBytes
      if (this.#parse(at) !== null) return { found: true, at }
    }
    return { found: false, at }
  }

  /** Makes `bytes` bytes from the position available; returns their offset in the chunk, or -1 at the end of the file. */
  #load(position: number, bytes: number): number {
    const from = position - this.#chunkStart
    if (from >= 0 && from + bytes <= this.#chunkBytes) return from
    this.#chunkStart = position
    this.#chunkBytes = 0
    while (this.#chunkBytes < bytes) {
      const read = readSync(
        this.#fd,
        this.#chunk,
        this.#chunkBytes,
        this.#chunk.length - this.#chunkBytes,
        this.#chunkStart + this.#chunkBytes,
      )
      if (read === 0) return -1
      this.#chunkBytes += read
    }
    return 0
  }
}

const isBodySize = (bytes: number): boolean =>
  bytes >= JOURNAL_BODY_PREFIX_BYTES + SMALLEST_SITE_BYTES &&
  bytes <= JOURNAL_MAX_BODY_BYTES &&
  bytes % 8 === 0

function isFrameOf(bodyBytes: number, size: number, kind: number): boolean {
  if (size !== bodyBytes - JOURNAL_BODY_PREFIX_BYTES) return false
  return kind === KIND_SITE || (kind === FrameKind.record && size >= Frame.HEADER_BYTES)
}

interface FoundHeader {
  readonly header: JournalHeader | null
  readonly seed: number
}

function readHeader(fd: number, name: JournalName | undefined): FoundHeader | null {
  const bytes = Buffer.alloc(JOURNAL_HEADER_BYTES)
  const complete = readSync(fd, bytes, 0, JOURNAL_HEADER_BYTES, 0) === JOURNAL_HEADER_BYTES
  const magic = bytes.readUInt32LE(0)
  const known = magic === JOURNAL_MAGIC || magic === JOURNAL_MAGIC_UNTIED
  if (!complete || !known || bytes.readUInt32LE(4) !== crc32(bytes.subarray(8))) {
    return name === undefined ? null : { header: null, seed: frameSeed(name) }
  }
  const header = {
    boot: bytes.toString('latin1', 8, 24),
    ring: bytes.readUInt32LE(24),
    segment: bytes.readUInt32LE(28),
    pid: bytes.readUInt32LE(32),
    startTicks: bytes.readDoubleLE(40),
    originUnixUs: bytes.readDoubleLE(48),
    ...pidSpaceIn(bytes),
  }
  return { header, seed: magic === JOURNAL_MAGIC ? frameSeed(header) : 0 }
}

function pidSpaceIn(bytes: Buffer): Pick<JournalHeader, 'pidSpace'> {
  const namespace = bytes.readUInt32LE(36)
  const kernel = bytes.readDoubleLE(56)
  return namespace === 0 || kernel === 0 ? {} : { pidSpace: { kernel, namespace } }
}
