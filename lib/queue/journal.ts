import { closeSync, openSync, statSync, unlinkSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import { makeStoreFolder } from '../store/folder.js'
import {
  JOURNAL_BODY_PREFIX_BYTES,
  JOURNAL_FRAME_HEADER_BYTES,
  JOURNAL_HEADER_BYTES,
  JOURNAL_MAGIC,
  type JournalHeader,
  journalPath,
  KIND_SITE,
} from './journal-format.js'

/** Where the frame to be appended is written by the caller, in {@link Journal.buffer}. */
export const JOURNAL_FRAME_OFFSET = JOURNAL_FRAME_HEADER_BYTES + JOURNAL_BODY_PREFIX_BYTES

const SEGMENT_BYTES = 4 * 1024 * 1024

/** What the journal needs of the file system; passed in so that tests can refuse the Nth call. */
export interface JournalFiles {
  open(path: string): number
  write(fd: number, bytes: Uint8Array, offset: number, length: number, position: number): number
  close(fd: number): void
  remove(path: string): void
  exists(path: string): boolean
}

const nodeFiles: JournalFiles = {
  open(path) {
    makeStoreFolder(dirname(path))
    // 'wx': a file that is already there is not ours to write into.
    return openSync(path, 'wx', 0o600)
  },
  write: writeSync,
  close: closeSync,
  remove: unlinkSync,
  exists: path => statSync(path, { throwIfNoEntry: false }) !== undefined,
}

export type JournalIdentity = Omit<JournalHeader, 'segment'>

/**
 * The producer's side of the journal. {@link append} returns only after the record has been handed to the operating
 * system, so it survives the death of the process from then on.
 */
export class Journal {
  /** The frame under construction; it starts at {@link JOURNAL_FRAME_OFFSET}. */
  readonly buffer: Buffer
  readonly #view: DataView
  readonly #storePath: string
  readonly #identity: JournalIdentity
  readonly #siteName: (site: number) => string
  readonly #files: JournalFiles
  readonly #definedSites = new Set<number>()
  #fd = -1
  #segment = 0
  #bytes = 0

  constructor(
    storePath: string,
    identity: JournalIdentity,
    siteName: (site: number) => string,
    bufferBytes: number,
    files: JournalFiles = nodeFiles,
  ) {
    this.#storePath = storePath
    this.#identity = identity
    this.#siteName = siteName
    this.#files = files
    this.buffer = Buffer.alloc(bufferBytes)
    this.#view = new DataView(this.buffer.buffer, this.buffer.byteOffset, bufferBytes)
  }

  /** Number of the segment that is being appended to, 0 = none yet. */
  get segment(): number {
    return this.#segment
  }

  /** Before the first append: leaves the numbers up to this one to somebody else. */
  beginAfter(segment: number): void {
    this.#segment = segment
  }

  /**
   * Appends the frame that stands in {@link buffer}. `false`: the disk refused, nothing was appended, and the next
   * call tries again from the same position.
   */
  append(frameBytes: number, site: number, callsProduced: number): boolean {
    try {
      if (this.#fd === -1 || this.#bytes >= SEGMENT_BYTES) this.#openSegment()
      if (!this.#definedSites.has(site)) this.#defineSite(site, callsProduced)
      this.#writeFrame(this.buffer, this.#view, frameBytes, callsProduced)
      return true
    } catch {
      return false
    }
  }

  /** Appends a frame that stands elsewhere (records that waited in memory, or in the ring at the end). */
  appendCopy(frame: Uint8Array, site: number, callsProduced: number): boolean {
    this.buffer.set(frame, JOURNAL_FRAME_OFFSET)
    return this.append(frame.byteLength, site, callsProduced)
  }

  /** The next append begins a new segment. */
  close(): void {
    const fd = this.#fd
    this.#fd = -1
    if (fd !== -1) this.#files.close(fd)
  }

  /**
   * Whether the current segment can still be found under its name. When its folder was removed, what is appended to
   * it would end with the process: then the next append begins a new segment, in a new folder.
   */
  leaveLostSegment(): boolean {
    if (this.#fd === -1 || this.#files.exists(this.#path(this.#segment))) return false
    this.close()
    return true
  }

  /** Closes and removes the current segment: everything in it is stored. */
  discard(): void {
    if (this.#fd === -1) return
    this.close()
    try {
      this.#files.remove(this.#path(this.#segment))
    } catch {
      // Left behind it does no harm: the next start finds every record stored already.
    }
  }

  #path(segment: number): string {
    return journalPath(this.#storePath, this.#identity.boot, this.#identity.ring, segment)
  }

  #openSegment(): void {
    const segment = this.#segment + 1
    const fd = this.#create(segment)
    // The number is taken: whatever fails from here on, the next try must not meet this file again.
    this.#segment = segment
    const header = encodeHeader({ ...this.#identity, segment })
    let written = 0
    try {
      written = this.#files.write(fd, header, 0, header.length, 0)
    } finally {
      if (written !== header.length) this.#giveUp(fd, segment)
    }
    if (written !== header.length) throw new Error('journal header was written in part')
    const before = this.#fd
    this.#fd = fd
    this.#bytes = header.length
    this.#definedSites.clear()
    if (before !== -1) this.#files.close(before)
  }

  #create(segment: number): number {
    try {
      return this.#files.open(this.#path(segment))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') this.#segment = segment
      throw error
    }
  }

  /** A segment without a header holds nothing; without its file, a full disk is not filled with empty ones. */
  #giveUp(fd: number, segment: number): void {
    this.#files.close(fd)
    this.#files.remove(this.#path(segment))
    // The segment before it is still open, and has to be left: its number is not the current one any more.
    this.close()
  }

  #defineSite(site: number, callsProduced: number): void {
    const name = Buffer.from(this.#siteName(site), 'utf8')
    const size = (16 + name.length + 7) & ~7
    const bytes = Buffer.alloc(JOURNAL_FRAME_OFFSET + size)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    view.setUint32(JOURNAL_FRAME_OFFSET, size, true)
    view.setUint32(JOURNAL_FRAME_OFFSET + 4, KIND_SITE, true)
    view.setUint32(JOURNAL_FRAME_OFFSET + 8, site, true)
    view.setUint32(JOURNAL_FRAME_OFFSET + 12, name.length, true)
    name.copy(bytes, JOURNAL_FRAME_OFFSET + 16)
    this.#writeFrame(bytes, view, size, callsProduced)
    this.#definedSites.add(site)
  }

  #writeFrame(bytes: Buffer, view: DataView, frameBytes: number, callsProduced: number): void {
    const bodyBytes = JOURNAL_BODY_PREFIX_BYTES + frameBytes
    const total = JOURNAL_FRAME_HEADER_BYTES + bodyBytes
    view.setFloat64(JOURNAL_FRAME_HEADER_BYTES, callsProduced, true)
    view.setUint32(0, bodyBytes, true)
    view.setUint32(4, crc32(bytes.subarray(JOURNAL_FRAME_HEADER_BYTES, total)), true)
    // Written at an explicit position: what a refused or partial write left behind is overwritten by the next frame.
    if (this.#files.write(this.#fd, bytes, 0, total, this.#bytes) !== total) {
      throw new Error('journal frame was written in part')
    }
    this.#bytes += total
  }
}

function encodeHeader(header: JournalHeader): Buffer {
  const bytes = Buffer.alloc(JOURNAL_HEADER_BYTES)
  bytes.writeUInt32LE(JOURNAL_MAGIC, 0)
  bytes.write(header.boot, 8, 16, 'latin1')
  bytes.writeUInt32LE(header.ring, 24)
  bytes.writeUInt32LE(header.segment, 28)
  bytes.writeUInt32LE(header.pid, 32)
  bytes.writeDoubleLE(header.startTicks, 40)
  bytes.writeDoubleLE(header.originUnixUs, 48)
  bytes.writeUInt32LE(crc32(bytes.subarray(8)), 4)
  return bytes
}
