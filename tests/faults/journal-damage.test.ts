import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { journalPath } from '../../lib/queue/journal-format.js'
import { JournalReader } from '../../lib/queue/journal-reader.js'
import { Frame, FrameFlag } from '../../lib/queue/layout.js'
import { Transcoder } from '../../lib/serialize/transcode.js'
import { type Database, prepared } from '../../lib/store/driver.js'
import { StoreWriter } from '../../lib/store/insert.js'
import { openForWriting } from '../../lib/store/open.js'
import { RecordSink } from '../../lib/writer/record-sink.js'
import { Recovery } from '../../lib/writer/recovery.js'
import { damages, type Mutation, mutate } from '../support/damage.js'
import fc from '../support/fast-check.js'
import { injected } from '../support/figures.js'
import { bootOf, errorFrame, makeJournal, range } from '../support/journal-maker.js'

const OWN_BOOT = 'ffffffffffffffff'
const HOST = 'box'
/** The fault matrix asks for 10,000. */
const RUNS = Math.min(10_000, Number(process.env['CALLSIGHT_FUZZ_RUNS'] ?? 1_500))

let folder: string
let store: string
let db: Database
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'callsight-damage-'))
  store = join(folder, 'calls.db')
  db = openForWriting(store)
  newWriter().registerProcess({
    boot: OWN_BOOT,
    pid: process.pid,
    script: 'test',
    host: HOST,
    nodeVersion: '',
    version: '',
    startedUs: Date.now() * 1000,
  })
})
afterEach(() => {
  db.close()
  rmSync(folder, { recursive: true, force: true })
})

function newWriter(): StoreWriter {
  return new StoreWriter(db)
}

function newRecovery(): Recovery {
  const writer = newWriter()
  const where = { storePath: store, boot: OWN_BOOT, host: HOST }
  return new Recovery(db, writer, new RecordSink(writer, new Transcoder()), where)
}

/** What the next start does, or one that is killed after some steps. */
function recover(most = Number.POSITIVE_INFINITY): void {
  const recovery = newRecovery()
  for (let steps = 0; steps < most && recovery.step(Date.now() * 1000); steps++);
  recovery.close()
}

interface Outcome {
  readonly seqs: number[]
  readonly functions: string[]
  readonly lanes: { produced: number; stored: number; dropped: Record<string, number> }[]
  readonly incidents: string[]
}

function outcomeOf(boot: string): Outcome {
  const all = (sql: string) => prepared(db, sql).all(boot) as Record<string, unknown>[]
  const where = 'WHERE process_id = (SELECT process_id FROM processes WHERE boot = ?)'
  const rows = all(
    `SELECT seq, name, message FROM errors JOIN functions USING (function_id) ${where} ORDER BY seq`,
  )
  for (const { seq, message } of rows) expect(message).toBe(`number ${seq} is refused`)
  return {
    seqs: rows.map(({ seq }) => seq as number),
    functions: [...new Set(rows.map(({ name }) => name as string))].sort(),
    lanes: all(`SELECT produced, stored, dropped FROM lanes ${where} ORDER BY lane`).map(row => ({
      produced: row['produced'] as number,
      stored: row['stored'] as number,
      dropped: JSON.parse(row['dropped'] as string) as Record<string, number>,
    })),
    incidents: all(`SELECT kind || ': ' || detail AS text FROM incidents ${where} ORDER BY incident_id`).map(
      ({ text }) => text as string,
    ),
  }
}

const sum = (counts: Record<string, number>): number => Object.values(counts).reduce((a, b) => a + b, 0)
function expectBalanced({ lanes, seqs }: Outcome): void {
  for (const { produced, stored, dropped } of lanes) expect(produced).toBe(stored + sum(dropped))
  if (lanes.length > 0) expect(lanes[1]?.stored).toBe(seqs.length)
}

function flipBit(path: string, at: number, bit = 0): void {
  const bytes = readFileSync(path)
  bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << bit), at)
  writeFileSync(path, bytes)
}

function positionOf(path: string, n: number): number {
  return readFileSync(path).indexOf(`number ${n} is refused`)
}

describe('row 16: a damaged journal', () => {
  const boot = bootOf(1)
  const first = () => journalPath(store, boot, 0, 1)

  it('one flipped bit costs one record: the rest is stored, the loss is counted and told', () => {
    makeJournal(store, { boot, numbers: range(1, 50) })
    flipBit(first(), positionOf(first(), 20))
    recover()
    const outcome = outcomeOf(boot)
    expect(outcome.seqs).toEqual(range(1, 50).filter(n => n !== 20))
    expect(outcome.lanes[1]).toEqual({ produced: 50, stored: 49, dropped: { writer_lost: 1 } })
    expect(outcome.incidents).toHaveLength(1)
    expect(outcome.incidents[0]).toMatch(
      /^journal_damaged: \d+ bytes from \d+ on in segment 1 of the journal of thread 0/,
    )
    expect(readdirSync(folder).filter(name => name.includes('errors-'))).toEqual([])
  })

  it('a damaged name of a call site costs no record', () => {
    makeJournal(store, { boot, numbers: range(1, 40), sites: 2, perSegment: 20 })
    // The names stand in each segment; one without a name anywhere is stored all the same.
    for (const segment of [1, 2]) {
      const path = journalPath(store, boot, 0, segment)
      flipBit(path, readFileSync(path).indexOf('site1'))
    }
    const second = journalPath(store, boot, 0, 2)
    flipBit(second, readFileSync(second).indexOf('site0'))
    recover()
    const outcome = outcomeOf(boot)
    expect(outcome.seqs).toEqual(range(1, 40))
    const counts = prepared(
      db,
      "SELECT name || ' ' || count(*) FROM errors JOIN functions USING (function_id) GROUP BY name ORDER BY 1",
    )
    // The segment before said the name that is damaged in the second one.
    expect(counts.pluck().all()).toEqual(['(unknown) 20', 'site0 20'])
    expectBalanced(outcome)
  })

  it('a damaged header costs no record, whatever byte of it', () => {
    for (let at = 0; at < 64; at++) {
      const one = bootOf(0x100 + at)
      const path = journalPath(store, one, 0, 1)
      makeJournal(store, { boot: one, numbers: range(1, 5), originUnixUs: 1.6e15 })
      flipBit(path, at, at % 8)
      // The file was written last when the last error ended; it has waited for the next start for long.
      utimesSync(path, 1.6e9 + 0.006, 1.6e9 + 0.006)
      recover()
      const outcome = outcomeOf(one)
      expect(outcome.seqs, `byte ${at}`).toEqual(range(1, 5))
      expectBalanced(outcome)
      expect(outcome.incidents).toHaveLength(1)
      const ends = prepared(
        db,
        'SELECT id >> 11 FROM errors JOIN processes USING (process_id) WHERE boot = ? ORDER BY seq',
      )
        .pluck()
        .all(one) as number[]
      for (const [index, us] of ends.entries())
        expect(Math.abs(us - (1.6e15 + (index + 2) * 1000))).toBeLessThan(1_000)
    }
  })

  it('a first page of zeros, as a power cut leaves it, costs what stood in it', () => {
    makeJournal(store, { boot, numbers: range(1, 100) })
    const bytes = readFileSync(first())
    const at = positionOf(first(), 30)
    bytes.fill(0, 0, at)
    writeFileSync(first(), bytes)
    utimesSync(first(), 1.6e9, 1.6e9)
    recover()
    const outcome = outcomeOf(boot)
    expect(outcome.seqs).toEqual(range(31, 100))
    expect(outcome.functions).toEqual(['(unknown)'])
    expect(outcome.lanes[1]).toEqual({ produced: 100, stored: 70, dropped: { writer_lost: 30 } })
  })

  it('a file that holds no entry is kept and told; one that holds nothing at all goes', () => {
    const path = journalPath(store, boot, 0, 1)
    writeFileSync(path, Buffer.alloc(5_000, 7))
    writeFileSync(journalPath(store, boot, 0, 2), '')
    for (const segment of [1, 2]) utimesSync(journalPath(store, boot, 0, segment), 1.6e9, 1.6e9)
    recover()
    expect(readdirSync(folder).filter(name => name.includes('errors-'))).toEqual([
      `calls.db.errors-${boot}-0-1.unreadable`,
    ])
    expect(readFileSync(`${path}.unreadable`)).toEqual(Buffer.alloc(5_000, 7))
    expect(outcomeOf(OWN_BOOT).incidents).toEqual([
      `journal_set_aside: calls.db.errors-${boot}-0-1 holds no whole entry; it is kept as calls.db.errors-${boot}-0-1.unreadable`,
    ])
  })

  it('an entry of another journal in this one is not taken for one of its own', () => {
    const other = bootOf(2)
    makeJournal(store, { boot, numbers: range(1, 9) })
    makeJournal(store, { boot: other, numbers: range(10, 19) })
    const [ours, theirs] = [first(), journalPath(store, other, 0, 1)].map(path => readFileSync(path)) as [
      Buffer,
      Buffer,
    ]
    writeFileSync(first(), Buffer.concat([ours, theirs.subarray(64)]))
    recover()
    expect(outcomeOf(boot).seqs).toEqual(range(1, 9))
    expect(outcomeOf(other).seqs).toEqual(range(10, 19))
    expectBalanced(outcomeOf(boot))
  })

  it('an entry that somebody put into a recorded value stays a value, also when its record is damaged', () => {
    const forged = bootOf(3)
    makeJournal(store, { boot: forged, numbers: [777] })
    const path = journalPath(store, forged, 0, 1)
    // What an attacker can know: everything but the boot identity, which is random.
    const value = readFileSync(path).subarray(64)
    rmSync(path)
    makeJournal(store, {
      boot,
      numbers: range(1, 3),
      frame: (n, site) => errorFrame(n, site, 64, FrameFlag.error, n === 2 ? [value] : [n]),
    })
    expect(readFileSync(first()).includes(value)).toBe(true)
    flipBit(first(), positionOf(first(), 2))
    recover()
    expect(outcomeOf(boot).seqs).toEqual([1, 3])
  })

  it('an error that was saved from the ring and expired meanwhile does not come back', () => {
    makeJournal(store, { boot, numbers: range(1, 10) })
    recover()
    prepared(db, "INSERT INTO expired VALUES ('errors', 10, ?)").run(Date.now() * 1e6)
    prepared(db, 'DELETE FROM errors').run()
    // The same records again, in a segment of which nobody knows yet.
    makeJournal(store, { boot, numbers: range(1, 10) })
    recover()
    expect(outcomeOf(boot).seqs).toEqual([])
    expect(outcomeOf(boot).lanes[1]).toEqual({ produced: 10, stored: 10, dropped: {} })
  })

  it('a record that cannot be stored is counted once, however often somebody begins with its journal', () => {
    makeJournal(store, {
      boot,
      numbers: range(1, 1_200),
      frame: (n, site) => (n === 10 ? spoilt(errorFrame(n, site)) : errorFrame(n, site)),
    })
    flipBit(first(), positionOf(first(), 20))
    for (let killed = 0; killed < 2; killed++) recover(2)
    expect(outcomeOf(boot).seqs.length).toBeGreaterThan(400)
    expect(outcomeOf(boot).seqs.length).toBeLessThan(1_198)
    recover()
    const outcome = outcomeOf(boot)
    expect(outcome.seqs).toEqual(range(1, 1_200).filter(n => n !== 10 && n !== 20))
    expect(outcome.lanes[1]?.dropped).toEqual({ poison: 1, writer_lost: 1 })
    expectBalanced(outcome)
    expect(outcome.incidents).toHaveLength(1)
    expect(prepared(db, 'SELECT * FROM journal_ranges').all()).toEqual([])
  })
})

describe('row 14: two processes take the same journal over', () => {
  it('one has it open while the other deals with it, removes it and forgets it: nothing is counted twice', () => {
    const boot = bootOf(1)
    const numbers = range(1, 20)
    makeJournal(store, {
      boot,
      numbers,
      frame: (n, site) => (n === 10 ? spoilt(errorFrame(n, site)) : errorFrame(n, site)),
    })
    const [slow, fast] = [newRecovery(), newRecovery()]
    const nowUs = Date.now() * 1000
    slow.step(nowUs)
    while (fast.step(nowUs));
    while (slow.step(nowUs));
    const outcome = outcomeOf(boot)
    expect(outcome.seqs).toEqual(numbers.filter(n => n !== 10))
    expect(outcome.lanes[1]).toEqual({ produced: 20, stored: 19, dropped: { poison: 1 } })
  })
})

/** A record whose checksum will hold and whose values cannot be read. */
function spoilt(frame: Uint8Array): Uint8Array {
  frame[Frame.HEADER_BYTES] = 0xc1
  return frame
}

describe('row 16: a journal mutated at random', { timeout: 900_000 }, () => {
  it(`the reader gives every entry that is whole, and nothing else (${RUNS} mutations)`, () => {
    injected(RUNS)
    const boot = bootOf(0xabc)
    makeJournal(store, { boot, numbers: range(1, 25), sites: 3 })
    const path = journalPath(store, boot, 0, 1)
    const intact = readFileSync(path)
    const frames = framesOf(intact)
    const file = join(folder, 'damaged')
    fc.assert(
      fc.property(damages, mutations => {
        const damaged = Buffer.concat([
          intact.subarray(0, 64),
          mutate(intact.subarray(64), frames.starts, mutations),
        ])
        writeFileSync(file, damaged)
        const whole = new Set(
          frames.bytes.flatMap((bytes, index) => (damaged.indexOf(bytes, 64) < 0 ? [] : [index])),
        )
        const reader = JournalReader.open(file, { owner: 'gone' })
        if (reader === null) throw new Error('the header is intact')
        const found = new Set<number>()
        let before = reader.position
        let passedOver = 0
        for (let entry = reader.next(); entry !== null; entry = reader.next()) {
          const bytes = damaged.subarray(before, reader.position)
          before = reader.position
          if (entry.kind === 'damage') {
            passedOver += entry.bytes
            expect(entry.bytes).toBe(bytes.length)
            continue
          }
          const index = frames.bytes.findIndex(one => one.equals(bytes))
          expect(index, 'nothing is invented').toBeGreaterThanOrEqual(0)
          found.add(index)
        }
        reader.close()
        expect(before, 'the file is read to its end').toBe(damaged.length)
        expect(
          [...whole].filter(index => !found.has(index)),
          'every whole entry comes out',
        ).toEqual([])
        if (damaged.equals(intact)) expect(passedOver).toBe(0)
      }),
      { numRuns: RUNS },
    )
  })

  const runs = Math.ceil(RUNS / 10)
  it(`the next start stores each record that is whole once, and the account adds up (${runs} mutations)`, () => {
    injected(runs)
    let n = 0x1000
    fc.assert(
      fc.property(damages, damages, fc.boolean(), fc.boolean(), (one, two, swap, header) => {
        const boot = bootOf(++n)
        makeJournal(store, { boot, numbers: range(1, 24), sites: 2, perSegment: 12, callsProduced: 7 })
        const paths = [1, 2].map(segment => journalPath(store, boot, 0, segment))
        const damaged = paths.map((path, index) => {
          const intact = readFileSync(path)
          const { starts } = framesOf(intact)
          const body = mutate(intact.subarray(64), starts, index === 0 ? one : two)
          const head = Buffer.from(intact.subarray(0, 64))
          if (header && index === 0) head.fill(0, 8, 40)
          return Buffer.concat([head, body])
        })
        if (swap) damaged.reverse()
        const place = () => {
          for (const [index, path] of paths.entries()) {
            writeFileSync(path, damaged[index] ?? Buffer.alloc(0))
            utimesSync(path, 1.6e9, 1.6e9)
          }
        }
        place()
        recover()
        const before = outcomeOf(boot)
        expectBalanced(before)
        expect(new Set(before.seqs).size).toBe(before.seqs.length)
        place()
        recover()
        expect(outcomeOf(boot).seqs, 'nothing twice').toEqual(before.seqs)
        expectBalanced(outcomeOf(boot))
        for (const name of readdirSync(folder)) if (name.endsWith('.unreadable')) rmSync(join(folder, name))
      }),
      { numRuns: runs },
    )
    expect(prepared(db, 'PRAGMA integrity_check').pluck().get()).toBe('ok')
  })

  it('a length that lies, and one that is huge, cost what they are in and no more', () => {
    const lies: Mutation[] = [0, 1, 8, 24, 65_528, 65_544, 2 ** 31, 2 ** 32 - 1].map(value => ({
      kind: 'length',
      at: 0.5,
      value,
    }))
    for (const [index, lie] of lies.entries()) {
      const boot = bootOf(0x500 + index)
      makeJournal(store, { boot, numbers: range(1, 20) })
      const path = journalPath(store, boot, 0, 1)
      const intact = readFileSync(path)
      const { starts } = framesOf(intact)
      writeFileSync(path, Buffer.concat([intact.subarray(0, 64), mutate(intact.subarray(64), starts, [lie])]))
      recover()
      expect(outcomeOf(boot).seqs, JSON.stringify(lie)).toHaveLength(19)
    }
  })
})

/** The entries of an intact journal: where each begins behind the header, and its bytes. */
function framesOf(intact: Buffer): { starts: number[]; bytes: Buffer[] } {
  const starts: number[] = []
  const bytes: Buffer[] = []
  for (let at = 64; at < intact.length; ) {
    const end = at + 8 + intact.readUInt32LE(at)
    starts.push(at - 64)
    bytes.push(intact.subarray(at, end))
    at = end
  }
  return { starts, bytes }
}
