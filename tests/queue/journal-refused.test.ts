import * as fs from 'node:fs'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { JOURNAL_FRAME_OFFSET, Journal, type JournalFiles, segmentBytes } from '../../lib/queue/journal.js'
import { journalPath } from '../../lib/queue/journal-format.js'
import { JournalReader } from '../../lib/queue/journal-reader.js'
import { Frame, FrameKind } from '../../lib/queue/layout.js'
import { keepReserve, reservePath } from '../../lib/store/reserve.js'

const BOOT = '0123456789abcdef'
let folder: string
let store: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'callsight-refused-'))
  store = join(folder, 'calls.db')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const files: JournalFiles = {
  open: path => {
    fs.mkdirSync(folder, { recursive: true })
    return fs.openSync(path, 'wx', 0o600)
  },
  write: fs.writeSync,
  close: fs.closeSync,
  remove: fs.unlinkSync,
  exists: fs.existsSync,
}
const newJournal = (over: Partial<JournalFiles> = {}): Journal =>
  new Journal(
    store,
    { boot: BOOT, ring: 0, pid: 1, startTicks: 0, originUnixUs: 0 },
    () => 'site',
    32 * 1024,
    { ...files, ...over },
  )

function append(journal: Journal, seq: number, bytes = 96, filler = 0): boolean {
  const frame = journal.buffer.subarray(JOURNAL_FRAME_OFFSET)
  frame.fill(filler, 0, bytes)
  frame.writeUInt32LE(bytes, Frame.SIZE)
  frame.writeUInt32LE(FrameKind.record, Frame.META)
  frame.writeDoubleLE(seq, Frame.SEQ)
  return journal.append(bytes, 0, 0)
}

function nextSeq(reader: JournalReader): number | null {
  for (let entry = reader.next(); entry !== null; entry = reader.next()) {
    if (entry.kind === 'record') return entry.view.getFloat64(entry.offset + Frame.SEQ, true)
  }
  return null
}

const noSpace = (): never => {
  throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
}

describe('a journal the disk refuses', () => {
  it.each([0, 10])('takes errors again once there is space, when the header got %i bytes far', got => {
    let full = true
    const journal = newJournal({
      write: (fd, bytes, offset, length, position) => {
        if (!full) return fs.writeSync(fd, bytes, offset, length, position)
        return got === 0 ? noSpace() : fs.writeSync(fd, bytes, offset, got, position)
      },
    })
    for (let seq = 1; seq <= 3; seq++) expect(append(journal, seq)).toBe(false)
    expect(readdirSync(folder), 'a full disk is not filled with empty files').toEqual([])
    full = false
    expect(append(journal, 4)).toBe(true)
    const reader = JournalReader.open(journalPath(store, BOOT, 0, journal.segment))
    expect(reader && nextSeq(reader)).toBe(4)
    reader?.close()
  })

  it('is still followed when a torn frame, already read ahead, is written over by shorter ones', () => {
    let part = 0
    const journal = newJournal({
      write: (fd, bytes, offset, length, position) => {
        const wanted = part > 0 ? part : length
        part = 0
        return fs.writeSync(fd, bytes, offset, wanted, position)
      },
    })
    expect(append(journal, 1)).toBe(true)
    const reader = JournalReader.open(journalPath(store, BOOT, 0, 1))
    if (reader === null) throw new Error('not a journal')
    expect(nextSeq(reader)).toBe(1)
    part = 3_000
    expect(append(journal, 2, 4_000, 0xff)).toBe(false)
    expect(append(journal, 3)).toBe(true)
    expect(nextSeq(reader)).toBe(3)
    expect(nextSeq(reader)).toBeNull()
    expect(append(journal, 4)).toBe(true)
    expect(nextSeq(reader)).toBe(4)
    reader.close()
  })

  it('gives the reserve of the store for its errors, with no writer at hand', () => {
    expect(keepReserve(store, 4_096)).toBe('there')
    const journal = newJournal({
      write: (fd, bytes, offset, length, position) =>
        fs.existsSync(reservePath(store)) ? noSpace() : fs.writeSync(fd, bytes, offset, length, position),
    })
    expect(append(journal, 1)).toBe(true)
    expect(fs.existsSync(reservePath(store))).toBe(false)
  })

  it('whose file has failed goes on in a new one: the old one may never be written again', () => {
    let opened = -1
    let failed = -1
    const journal = newJournal({
      open: path => {
        opened = files.open(path)
        return opened
      },
      write: (fd, bytes, offset, length, position) => {
        if (fd === failed) throw Object.assign(new Error('input/output error'), { code: 'EIO' })
        return fs.writeSync(fd, bytes, offset, length, position)
      },
      close: fd => {
        // Kept open, so that its number is not given to the next file.
        if (fd !== failed) fs.closeSync(fd)
      },
    })
    expect(append(journal, 1)).toBe(true)
    failed = opened
    expect(append(journal, 2)).toBe(false)
    expect(append(journal, 3)).toBe(true)
    expect(journal.segment).toBe(2)
    fs.closeSync(failed)
  })

  it('counts what its files take, and forgets the segments that are covered', () => {
    const journal = new Journal(
      store,
      { boot: BOOT, ring: 0, pid: 1, startTicks: 0, originUnixUs: 0 },
      () => 'site',
      32 * 1024,
      files,
      segmentBytes(64 * 1024),
    )
    for (let seq = 1; seq <= 40; seq++) append(journal, seq, 1_024)
    const sizes = readdirSync(folder).map(name => fs.statSync(join(folder, name)).size)
    expect(sizes.length).toBeGreaterThan(4)
    expect(journal.bytes).toBe(sizes.reduce((sum, size) => sum + size, 0))
    journal.coveredBefore(journal.segment)
    expect(journal.bytes).toBe(fs.statSync(journalPath(store, BOOT, 0, journal.segment)).size)
  })

  it('whose file was removed goes on in a new one', () => {
    const journal = newJournal()
    expect(append(journal, 1)).toBe(true)
    journal.leaveLostSegment()
    expect(journal.segment).toBe(1)
    rmSync(folder, { recursive: true })
    journal.leaveLostSegment()
    expect(append(journal, 2)).toBe(true)
    const reader = JournalReader.open(journalPath(store, BOOT, 0, journal.segment))
    expect(reader && nextSeq(reader)).toBe(2)
    reader?.close()
  })
})
