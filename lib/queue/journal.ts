import { closeSync, openSync, statSync, unlinkSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import { makeStoreFolder } from '../store/folder.js'
import { giveReserve } from '../store/reserve.js'
import {
  frameSeed,
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
/** Of a small limit each segment takes this share, so that space comes back piece by piece. */
const SEGMENT_SHARE = 1 / 8
const OUT_OF_SPACE: readonly string[] = ['ENOSPC', 'EDQUOT']

/** Size from which on the next append begins a new segment, when all journals together may take `maxBytes`. */
export function segmentBytes(maxBytes: number): number {
  return Math.min(SEGMENT_BYTES, Math.floor(maxBytes * SEGMENT_SHARE))
}

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
  readonly #segmentBytes: number
  readonly #definedSites = new Set<number>()
  /** Segments before the current one, as far as they are known to be on disk. */
  #earlier: { readonly segment: number; readonly bytes: number }[] = []
  #earlierBytes = 0
  #fd = -1
  #segment = 0
  /** The segment that `#fd` has open; numbers behind it may have been taken in vain. */
  #openedSegment = 0
  #bytes = 0
  #seed = 0

  constructor(
    storePath: string,
    identity: JournalIdentity,
    siteName: (site: number) => string,
    bufferBytes: number,
    files: JournalFiles = nodeFiles,
    segmentBytes: number = SEGMENT_BYTES,
  ) {
    this.#storePath = storePath
    this.#identity = identity
    this.#siteName = siteName
    this.#files = files
    this.#segmentBytes = segmentBytes
    this.buffer = Buffer.alloc(bufferBytes)
    this.#view = new DataView(this.buffer.buffer, this.buffer.byteOffset, bufferBytes)
  }

  /** Number of the segment that is being appended to, 0 = none yet. */
  get segment(): number {
    return this.#segment
  }

  /** What its files take on disk. */
  get bytes(): number {
    return this.#earlierBytes + (this.#fd === -1 ? 0 : this.#bytes)
  }

  /** Everything in the segments before this one is stored: the writer removes them. */
  coveredBefore(segment: number): void {
    for (
      let first = this.#earlier[0];
      first !== undefined && first.segment < segment;
      first = this.#earlier[0]
    ) {
      this.#earlierBytes -= first.bytes
      this.#earlier.shift()
    }
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
    const refusal = this.#tryAppend(frameBytes, site, callsProduced)
    if (refusal === null) return true
    // Full: what the reserve gives is for errors first, and whoever comes first removes it.
    if (OUT_OF_SPACE.includes(refusal) && giveReserve(this.#storePath))
      return this.#tryAppend(frameBytes, site, callsProduced) === null
    return false
  }

  /** The code of the refusal, or `null` when the frame was appended. */
  #tryAppend(frameBytes: number, site: number, callsProduced: number): string | null {
    try {
      if (this.#fd === -1 || this.#bytes >= this.#segmentBytes) this.#openSegment()
      if (!this.#definedSites.has(site)) this.#defineSite(site, callsProduced)
      this.#writeFrame(this.buffer, this.#view, frameBytes, callsProduced)
      return null
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? ''
      // There will be space again. From anything else the file may never recover (its file system was taken away, say).
      if (!OUT_OF_SPACE.includes(code)) this.#leaveSegment()
      return code
    }
  }

  /** Appends a frame that stands elsewhere (records that waited in memory, or in the ring at the end). */
  appendCopy(frame: Uint8Array, site: number, callsProduced: number): boolean {
    this.buffer.set(frame, JOURNAL_FRAME_OFFSET)
    return this.append(frame.byteLength, site, callsProduced)
  }

  #leaveSegment(): void {
    try {
      this.close()
    } catch {
      // The descriptor is given up all the same.
    }
  }

  /** The next append begins a new segment. */
  close(): void {
    const fd = this.#fd
    this.#setAside()
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
    const left = this.#earlier.filter(({ segment }) => this.#files.exists(this.#path(segment)))
    this.#earlier = left
    this.#earlierBytes = left.reduce((sum, { bytes }) => sum + bytes, 0)
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

  /** The current segment, unless there is none, is one of the earlier ones from now on. */
  #setAside(): void {
    if (this.#fd === -1) return
    this.#earlier.push({ segment: this.#openedSegment, bytes: this.#bytes })
    this.#earlierBytes += this.#bytes
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
    if (written !== header.length) throw writtenInPart('header')
    const before = this.#fd
    this.#setAside()
    this.#fd = fd
    this.#openedSegment = segment
    this.#bytes = header.length
    this.#seed = frameSeed({ ...this.#identity, segment })
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
    view.setUint32(4, crc32(bytes.subarray(JOURNAL_FRAME_HEADER_BYTES, total), this.#seed), true)
    // Written at an explicit position: what a refused or partial write left behind is overwritten by the next frame.
    if (this.#files.write(this.#fd, bytes, 0, total, this.#bytes) !== total) {
      throw writtenInPart('frame')
    }
    this.#bytes += total
  }
}

/** The system says why only when nothing at all is written; mostly it is space. */
function writtenInPart(what: string): Error {
  return Object.assign(new Error(`journal ${what} was written in part`), { code: 'ENOSPC' })
}

function encodeHeader(header: JournalHeader): Buffer {
  const bytes = Buffer.alloc(JOURNAL_HEADER_BYTES)
  bytes.writeUInt32LE(JOURNAL_MAGIC, 0)
  bytes.write(header.boot, 8, 16, 'latin1')
  bytes.writeUInt32LE(header.ring, 24)
  bytes.writeUInt32LE(header.segment, 28)
  bytes.writeUInt32LE(header.pid, 32)
  bytes.writeUInt32LE(header.pidSpace?.namespace ?? 0, 36)
  bytes.writeDoubleLE(header.startTicks, 40)
  bytes.writeDoubleLE(header.originUnixUs, 48)
  bytes.writeDoubleLE(header.pidSpace?.kernel ?? 0, 56)
  bytes.writeUInt32LE(crc32(bytes.subarray(8)), 4)
  return bytes
}
