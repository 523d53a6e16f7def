import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { CALL_BLOCK, FrameFlag } from '../../lib/queue/layout.js'
import { StoreWriter } from '../../lib/store/insert.js'
import { TRACE_SQL, tracesOfCallSql } from '../../lib/store/queries/statements.js'
import { readCallers, type WhyRecord } from '../../lib/store/queries/why-records.js'
import { openStore } from '../../lib/store/read.js'
import { RootOrder } from '../../lib/store/root-order.js'
import { seededRandom } from '../sampling/seeded.js'
import { hex16 } from '../store-read/fixture.js'
import fc from '../support/fast-check.js'
import { column, T0_US, tempStore } from './temp-store.js'

const BOOTS = ['00000000000000aa', '00000000000000bb']

/** A record as it comes out of the ring of its thread. */
interface Made {
  readonly process: number
  readonly thread: number
  readonly call: number
  readonly trace: number
  readonly startUs: number
  readonly endUs: number
  readonly flags: number
}

/** Calls that overlap, as promises do, some of them nested, in two threads of two processes, in the order of their records. */
function someRecords(seed: number): Made[] {
  const random = seededRandom(seed)
  const below = (n: number) => Math.floor(random() * n)
  const made: (Made & { publishedUs: number })[] = []
  const roots = new Map<number, number>()
  let nowUs = T0_US
  for (let n = 1; n <= 500; n++) {
    nowUs += [0, 1, 5, 1_000][below(4)]!
    const process = below(4) === 0 ? 1 : 0
    const thread = below(4) === 0 ? 1 : 0
    // Each thread counts in a block of its own.
    const block = 1 + 2 * process + thread
    const number = block * CALL_BLOCK + n
    const trace = below(4) === 0 ? (roots.get(block) ?? number) : number
    roots.set(block, trace)
    const endUs = nowUs + (below(7) === 0 ? below(5_000) : below(4))
    const isHindsight = below(30) === 0
    if (below(4) > 0)
      made.push({
        process,
        thread,
        call: number,
        trace,
        startUs: nowUs,
        endUs,
        flags: isHindsight ? FrameFlag.hindsight : 0,
        publishedUs: endUs + (isHindsight ? 3_000 : 0),
      })
  }
  return made.sort((a, b) => a.publishedUs - b.publishedUs)
}

/** A call that is a trace of its own. */
const root = (call: number, startUs: number, endUs: number, flags = 0): Made => ({
  process: 0,
  thread: 0,
  call,
  trace: call,
  startUs: T0_US + startUs,
  endUs: T0_US + endUs,
  flags,
})

const register = (writer: StoreWriter) =>
  BOOTS.map(boot =>
    writer.registerProcess({
      boot,
      pid: 1,
      script: 'a.js',
      host: 'h',
      nodeVersion: 'v20',
      version: '1',
      startedUs: T0_US,
    }),
  )

function put(writer: StoreWriter, processId: number, row: Made, seq: number): void {
  const { call, trace, startUs, endUs, flags, thread } = row
  writer.call(
    endUs,
    // Later records of one microsecond may have lower ids.
    (thread * 521 + seq * 700) % 2048,
    1,
    processId,
    (endUs - startUs) * 1000,
    1,
    call,
    trace,
    trace === call ? 0 : trace,
    flags,
    null,
    null,
    null,
    null,
  )
}

describe('roots in order', () => {
  it('are found by the ids of their traces and by their own, whatever overlaps, who wrote them and what has expired', () => {
    let ordered = 0
    fc.assert(
      fc.property(
        fc.integer(),
        fc.nat(200),
        fc.uniqueArray(fc.nat(9), { maxLength: 3 }),
        (seed, expired, restarts) => {
          const { db, path, writer: first } = tempStore()
          const rows = someRecords(seed)
          first.begin()
          const ids = register(first)
          first.functionId('f')
          first.commit()
          let writer = first
          for (let from = 0; from < rows.length; from += 50) {
            writer.begin()
            for (let n = from; n < Math.min(rows.length, from + 50); n++)
              put(writer, ids[rows[n]!.process]!, rows[n]!, n)
            writer.commit()
            if (restarts.includes(from / 50)) writer = new StoreWriter(db)
          }
          db.prepare('DELETE FROM calls WHERE id IN (SELECT id FROM calls ORDER BY id LIMIT ?)').run(expired)
          ordered += column(db, 'SELECT count(*) FROM calls WHERE trace = 0')[0] as number
          const left = new Set(column(db, 'SELECT call FROM calls'))
          const wanted = new Map<string, string[]>()
          for (const { process, call: number, trace } of rows) {
            if (!left.has(number)) continue
            const id = `${BOOTS[process]}${hex16(trace)}`
            wanted.set(id, [...(wanted.get(id) ?? []), hex16(number)].sort())
          }
          using store = openStore(path)
          const shown = new Map<string, string[]>()
          for (const { trace_id, call_id } of store.sql('SELECT trace_id, call_id FROM recent_calls', [], {
            limit: 10_000,
          })) {
            const id = String(trace_id)
            shown.set(id, [...(shown.get(id) ?? []), String(call_id)].sort())
          }
          expect(shown).toEqual(wanted)
          for (const [id, members] of wanted) {
            const idsOf = (asked: string) =>
              store
                .trace(asked)
                .map(row => row.call_id)
                .sort()
            expect(idsOf(id), id).toEqual(members)
            expect(idsOf(members[0]!), members[0]).toEqual(members)
          }
          db.close()
        },
      ),
      { numRuns: 25 },
    )
    // Otherwise nothing was tried.
    expect(ordered).toBeGreaterThan(25 * 50)
  })

  it('of two processes that count alike are told apart', () => {
    const { db, path, writer } = tempStore()
    writer.begin()
    const ids = register(writer)
    writer.functionId('f')
    for (let n = 1; n <= 200; n++) {
      for (const process of [0, 1]) put(writer, ids[process]!, root(n, 10 * n, 10 * n + 5), n + process)
    }
    writer.commit()
    expect(column(db, 'SELECT count(*) FROM calls WHERE trace = 0')).toEqual([398])
    using store = openStore(path)
    for (const n of [1, 2, 100, 200]) {
      for (const boot of BOOTS)
        expect(store.trace(boot + hex16(n)).map(row => [row.trace_id, row.call_id])).toEqual([
          [boot + hex16(n), hex16(n)],
        ])
    }
    expect(store.trace(hex16(100))).toHaveLength(2)
  })

  it.each([
    ['all different', 2_048, 399],
    ['mostly taken', 7, 7],
  ])('of one microsecond are found, their salts being %s', (_, salts, ordered) => {
    const { db, path, writer } = tempStore()
    writer.begin()
    const [processId] = register(writer)
    writer.functionId('f')
    for (let n = 1; n <= 400; n++) {
      const us = n === 1 ? 0 : 10
      put(writer, processId!, root(n, us, us), (3 * n) % salts)
    }
    writer.commit()
    expect(column(db, 'SELECT count(*) FROM calls WHERE trace = 0')).toEqual([ordered])
    using store = openStore(path)
    for (let n = 1; n <= 400; n++) expect(store.trace(BOOTS[0] + hex16(n)), `${n}`).toHaveLength(1)
  })

  it('are no calls that come late and are seen first by another writer', () => {
    const { db, writer } = tempStore()
    writer.begin()
    const [processId] = register(writer)
    put(writer, processId!, root(1, 0, 100), 1)
    put(writer, processId!, root(5, 200, 210), 2)
    writer.commit()
    const next = new StoreWriter(db)
    next.begin()
    put(next, processId!, root(2, 110, 150, FrameFlag.hindsight), 3)
    put(next, processId!, root(4, 190, 300), 4)
    put(next, processId!, root(6, 310, 320), 5)
    next.commit()
    expect(column(db, 'SELECT call FROM calls WHERE trace = 0 ORDER BY call')).toEqual([5, 6])
  })

  it('take no entry in the index of traces, and one of 61 in their own', () => {
    const { db, writer } = tempStore()
    writer.begin()
    const [processId] = register(writer)
    for (let n = 1; n <= 6_101; n++) put(writer, processId!, root(n, 10 * n, 10 * n + 5), n)
    writer.commit()
    expect(column(db, 'SELECT count(*) FROM calls WHERE trace = 0')).toEqual([6_100])
    const entries = (index: string) =>
      Number(column(db, `SELECT sum(ncell) FROM dbstat WHERE name = '${index}' AND pagetype = 'leaf'`)[0])
    expect(entries('calls_trace')).toBe(1)
    expect(entries('calls_ordered_root')).toBeGreaterThan(60)
    expect(entries('calls_ordered_root')).toBeLessThan(160)
  })

  it('are looked for between their neighbours: one of 5,000 traces takes a few hundred steps', context => {
    const { db, path, writer } = tempStore()
    writer.begin()
    const [busy, quiet] = register(writer)
    writer.functionId('f')
    for (let n = 1; n <= 5_000; n++) put(writer, busy!, root(n, 10 * n, 10 * n), n)
    // Another process was there before and after, recorded three calls, and has no neighbours in the sample.
    for (let n = 1; n <= 3; n++) put(writer, quiet!, root(n, 150_000 * (n - 1), 150_000 * (n - 1)), n + 7)
    writer.commit()
    expect(column(db, 'SELECT count(*) FROM calls WHERE trace = 0')).toEqual([4_999])
    const about = (process: number, call: number) => [
      `.parameter set $process ${process}`,
      `.parameter set $trace ${call}`,
      `.parameter set $call ${call}`,
    ]
    const asked = [
      `.parameter set $traceId "'of no trace'"`,
      '.parameter set $sinceId 0',
      `.parameter set $untilId ${2n ** 62n}`,
      '.parameter set $limit 100',
      '.stats vmstep',
      ...about(busy!, 2_500),
      `${TRACE_SQL};`,
      `${tracesOfCallSql('root')};`,
      ...about(quiet!, 3),
      `${TRACE_SQL};`,
      'SELECT max(function_id) FROM calls;',
    ]
    const shell = spawnSync('sqlite3', ['-batch', path], { input: asked.join('\n'), encoding: 'utf8' })
    if (shell.error !== undefined) context.skip('sqlite3 is not installed')
    expect(shell.stderr).toBe('')
    const lines = shell.stdout.trim().split('\n')
    expect(lines.filter(line => line.includes(hex16(2_500)))).toHaveLength(2)
    expect(lines.filter(line => line.includes(`${BOOTS[1]}${hex16(3)}`))).toHaveLength(1)
    const steps = lines.flatMap(line => /VM-steps: (\d+)/.exec(line)?.[1] ?? []).map(Number)
    // What looking at each of them takes.
    expect(steps.pop()).toBeGreaterThan(10_000)
    expect(steps.filter(count => count < 2_000)).toHaveLength(3)
  })

  it('are known as the callers of what they called', () => {
    const { db, path, writer } = tempStore()
    writer.begin()
    const [processId] = register(writer)
    expect([writer.functionId('outer'), writer.functionId('inner')]).toEqual([1, 2])
    for (let n = 1; n <= 300; n += 2) {
      const startUs = T0_US + 10 * n
      const inner = { process: 0, thread: 0, call: n + 1, trace: n, startUs, endUs: startUs + 2, flags: 0 }
      writer.call(inner.endUs, n, 2, processId!, 2_000, 1, n + 1, n, n, 0, null, null, null, null)
      put(writer, processId!, { ...inner, call: n, endUs: startUs + 4 }, n + 1)
    }
    writer.commit()
    expect(column(db, 'SELECT count(*) FROM calls WHERE trace = 0')).toEqual([149])
    using store = openStore(path)
    const records = column(db, 'SELECT trace FROM calls WHERE function_id = 2').map(
      trace => ({ trace, parent: trace, processId }) as WhyRecord,
    )
    const read = {
      all: <T>(sql: string, params?: object) => db.prepare(sql).all(params) as T[],
    } as unknown as Parameters<typeof readCallers>[0]
    expect([...new Set(readCallers(read, records).values())]).toEqual(['outer'])
    expect(store.trace(hex16(201)).map(row => row.call_id)).toEqual([hex16(201), hex16(202)])
  })
})

describe('the order', () => {
  const us = (n: number) => T0_US + n
  it('begins with a call that began when the first root had ended', () => {
    const order = new RootOrder()
    expect(order.isNext(1, 10, us(100), 1_000)).toBe(false)
    // Begun at 50: an earlier writer may have stored a higher number that ended before.
    expect(order.isNext(1, 9, us(150), 100_000)).toBe(false)
    expect(order.isNext(1, 11, us(160), 30_000)).toBe(true)
    expect(order.isNext(1, 12, us(160), 0)).toBe(true)
    expect(order.isNext(1, 8, us(170), 100_000)).toBe(false)
    expect(order.isNext(1, 13, us(159), 0)).toBe(false)
    expect(order.isNext(1, 13, us(170), 0)).toBe(true)
  })

  it('is kept by those that are few, but they keep their entry', () => {
    const order = new RootOrder()
    const isNext = (call: number, endUs: number) => order.isNext(1, call, us(endUs), 0)
    const ends = [0, 10, 100_010, 200_011, 200_020, 300_021, 300_020]
    expect(ends.map((endUs, n) => isNext(n + 1, endUs))).toEqual([
      false, // the first
      true,
      true, // just near enough
      false,
      true,
      false,
      false, // not in order
    ])
  })

  it('is that of each thread of each process', () => {
    const order = new RootOrder()
    for (const [process, block] of [
      [1, 0],
      [1, 1],
      [2, 1],
    ] as const) {
      expect(order.isNext(process, block * CALL_BLOCK + 1, us(1), 0)).toBe(false)
      expect(order.isNext(process, block * CALL_BLOCK + 2, us(9), 0)).toBe(true)
    }
    expect(order.isNext(1, 3, us(9), 0)).toBe(true)
    expect(order.isNext(2, CALL_BLOCK + 3, us(9), 0)).toBe(true)
    expect(order.isNext(1, CALL_BLOCK + 3, us(9), 0)).toBe(true)
  })

  it('of more threads than are kept begins anew', () => {
    const order = new RootOrder()
    for (let block = 0; block < 1_000; block++) order.isNext(1, block * CALL_BLOCK + 1, us(1), 0)
    expect(order.isNext(1, 2, us(9), 0)).toBe(true)
    expect(order.isNext(1, 1_000 * CALL_BLOCK + 1, us(9), 0)).toBe(false)
    expect(order.isNext(1, 3, us(10), 0)).toBe(false)
  })
})
