import * as fs from 'node:fs'
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { JOURNAL_FRAME_OFFSET, Journal, type JournalFiles } from '../../lib/queue/journal.js'
import { journalPath } from '../../lib/queue/journal-format.js'
import { JournalReader } from '../../lib/queue/journal-reader.js'
import { Frame, FrameKind } from '../../lib/queue/layout.js'
import fc from '../support/fast-check.js'

const BOOT = '0123456789abcdef'
const identity = { boot: BOOT, ring: 3, pid: 4711, startTicks: 99, originUnixUs: 1e15 }

let folder: string
let store: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'callsight-journal-'))
  store = join(folder, 'sub', 'calls.db')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function newJournal(files?: JournalFiles): Journal {
  return new Journal(store, identity, site => `Site.${site}`, 32 * 1024, files)
}

function append(journal: Journal, seq: number, site = 0, bytes = 96): boolean {
  const frame = journal.buffer.subarray(JOURNAL_FRAME_OFFSET)
  frame.fill(seq & 0xff, 0, bytes)
  frame.writeUInt32LE(bytes, Frame.SIZE)
  frame.writeUInt32LE(FrameKind.record, Frame.META)
  frame.writeDoubleLE(seq, Frame.SEQ)
  return journal.append(bytes, site, seq * 10)
}

interface Read {
  readonly seqs: number[]
  readonly names: Record<number, string>
}

function readAll(path: string): Read {
  const reader = JournalReader.open(path)
  if (reader === null) throw new Error('not a journal')
  const seqs: number[] = []
  const names: Record<number, string> = {}
  for (let entry = reader.next(); entry !== null; entry = reader.next()) {
    if (entry.kind === 'site') names[entry.site] = entry.name
    if (entry.kind === 'record') seqs.push(entry.view.getFloat64(entry.offset + Frame.SEQ, true))
  }
  reader.close()
  return { seqs, names }
}

describe('journal', () => {
  it('gives back what was appended, in order, with the names of its call sites and its owner', () => {
    const journal = newJournal()
    for (let seq = 1; seq <= 500; seq++) expect(append(journal, seq, seq % 3, 80 + (seq % 40) * 8)).toBe(true)
    const path = journalPath(store, BOOT, 3, 1)
    expect(readAll(path)).toEqual({
      seqs: Array.from({ length: 500 }, (_, index) => index + 1),
      names: { 0: 'Site.0', 1: 'Site.1', 2: 'Site.2' },
    })
    expect(JournalReader.open(path)?.header).toEqual({ ...identity, segment: 1 })
  })

  it('is readable by its owner only', () => {
    append(newJournal(), 1)
    expect(statSync(journalPath(store, BOOT, 3, 1)).mode & 0o777).toBe(0o600)
    expect(statSync(join(folder, 'sub')).mode & 0o777).toBe(0o700)
  })

  it('begins a new segment after 4 MiB, with the call sites named again', () => {
    const journal = newJournal()
    for (let seq = 1; seq <= 300; seq++) append(journal, seq, 7, 16_000)
    expect(journal.segment).toBe(2)
    const [first, second] = [1, 2].map(segment => readAll(journalPath(store, BOOT, 3, segment)))
    expect([...(first?.seqs ?? []), ...(second?.seqs ?? [])]).toHaveLength(300)
    expect(second?.names).toEqual({ 7: 'Site.7' })
  })

  it('never writes into a file that was there before', () => {
    fs.mkdirSync(join(folder, 'sub'))
    writeFileSync(journalPath(store, BOOT, 3, 1), 'somebody else')
    const journal = newJournal()
    expect(append(journal, 1)).toBe(false)
    expect(readFileSync(journalPath(store, BOOT, 3, 1), 'utf8')).toBe('somebody else')
  })

  it('loses and repeats nothing when the disk refuses any write, in whole or in part', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('ok', 'ok', 'ok', 'refuse', 'part'), { maxLength: 60 }), plan => {
        rmSync(join(folder, 'sub'), { recursive: true, force: true })
        const steps = [...plan]
        const journal = newJournal({
          open: path => {
            fs.mkdirSync(join(folder, 'sub'), { recursive: true })
            return fs.openSync(path, 'wx', 0o600)
          },
          write: (fd, bytes, offset, length, position) => {
            const step = steps.shift() ?? 'ok'
            if (step === 'refuse') throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
            if (step === 'part') return fs.writeSync(fd, bytes, offset, length >>> 1, position)
            return fs.writeSync(fd, bytes, offset, length, position)
          },
          close: fs.closeSync,
          remove: fs.unlinkSync,
          exists: fs.existsSync,
        })
        const accepted: number[] = []
        for (let seq = 1; seq <= 20; seq++) if (append(journal, seq)) accepted.push(seq)
        const found = readdirSync(join(folder, 'sub'))
          .sort((a, b) => Number(a.split('-').at(-1)) - Number(b.split('-').at(-1)))
          .flatMap(name =>
            JournalReader.open(join(folder, 'sub', name)) === null
              ? []
              : readAll(join(folder, 'sub', name)).seqs,
          )
        expect(found).toEqual(accepted)
      }),
      { numRuns: 300 },
    )
  })

  it('is followed while it grows, and read again from any earlier position', () => {
    const journal = newJournal()
    append(journal, 1)
    const reader = JournalReader.open(journalPath(store, BOOT, 3, 1))
    expect(reader?.next()?.kind).toBe('site')
    const before = reader?.position ?? 0
    expect(reader?.next()?.kind).toBe('record')
    expect(reader?.next()).toBeNull()
    append(journal, 2)
    expect(reader?.next()?.kind).toBe('record')
    reader?.seek(before)
    const again = reader?.next()
    expect(again?.kind === 'record' && again.view.getFloat64(again.offset + Frame.SEQ, true)).toBe(1)
    reader?.close()
  })

  it('gives its entries in order and invents none, without a throw, whatever the damage', () => {
    const journal = newJournal()
    for (let seq = 1; seq <= 20; seq++) append(journal, seq)
    const path = journalPath(store, BOOT, 3, 1)
    const intact = readFileSync(path)
    const damage = fc.record({
      at: fc.nat(intact.length - 1),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 64 }),
      cut: fc.option(fc.nat(intact.length)),
      garbage: fc.uint8Array({ maxLength: 200 }),
    })
    const runs = Number(process.env['CALLSIGHT_FUZZ_RUNS'] ?? 2_000)
    fc.assert(
      fc.property(damage, ({ at, bytes, cut, garbage }) => {
        const copy = Buffer.from(intact)
        copy.set(bytes.subarray(0, copy.length - at), at)
        const damaged = cut === null ? copy : copy.subarray(0, cut)
        const file = join(folder, 'damaged')
        writeFileSync(file, damaged)
        appendFileSync(file, garbage)
        const reader = JournalReader.open(file)
        if (reader === null) return
        let last = 0
        for (let entry = reader.next(); entry !== null; entry = reader.next()) {
          if (entry.kind !== 'record') continue
          const seq = entry.view.getFloat64(entry.offset + Frame.SEQ, true)
          expect(seq).toBeGreaterThan(last)
          expect(Number.isInteger(seq) && seq <= 20).toBe(true)
          last = seq
        }
        reader.close()
      }),
      { numRuns: runs },
    )
  })

  it('of version 0.1.0 is still read', () => {
    const journal = newJournal()
    for (let seq = 1; seq <= 3; seq++) append(journal, seq)
    const path = journalPath(store, BOOT, 3, 1)
    const bytes = readFileSync(path)
    bytes.write('CSJ1', 0, 'latin1')
    for (let at = 64; at < bytes.length; at += 8 + bytes.readUInt32LE(at)) {
      bytes.writeUInt32LE(crc32(bytes.subarray(at + 8, at + 8 + bytes.readUInt32LE(at))), at + 4)
    }
    writeFileSync(path, bytes)
    expect(readAll(path)).toEqual({ seqs: [1, 2, 3], names: { 0: 'Site.0' } })
  })
})
