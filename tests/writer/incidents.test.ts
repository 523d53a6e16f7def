import { describe, expect, it } from 'vitest'
import type { StoreWriter } from '../../lib/store/insert.js'
import { Incidents } from '../../lib/writer/incidents.js'

/** A file, as far as incidents go. */
class File {
  readonly rows: { kind: string; started: number; ended: number | null }[] = []
  readonly store = {
    incident: (_: number, kind: string, started: number, ended: number | null) =>
      this.rows.push({ kind, started, ended }),
    endIncident: (id: number, ended: number) => {
      const row = this.rows[id - 1]
      if (row !== undefined) row.ended = ended
    },
  } as unknown as StoreWriter
  readonly name: string

  constructor(name: string) {
    this.name = name
  }

  take(incidents: Incidents): void {
    incidents.write(this.store, 1, this.name)
    incidents.commit()
  }
}

describe('incidents on their way to the store', () => {
  it('are written once when they begin, and once when they end', () => {
    const incidents = new Incidents()
    const file = new File('a')
    incidents.begin('disk_full', 'x', 10)
    incidents.begin('disk_full', 'x', 20)
    expect(incidents.pending('a')).toBe(true)
    file.take(incidents)
    expect(file.rows).toEqual([{ kind: 'disk_full', started: 10, ended: null }])
    expect(incidents.pending('a')).toBe(false)
    incidents.end('disk_full', 30)
    file.take(incidents)
    file.take(incidents)
    expect(file.rows).toEqual([{ kind: 'disk_full', started: 10, ended: 30 }])
    expect(incidents.pending('a')).toBe(false)
  })

  it('of one kind are one, unless several of it can go on: then their details tell them apart', () => {
    const incidents = new Incidents()
    const file = new File('a')
    incidents.goOn('a', [{ id: 0, kind: 'tuned', detail: 'before', startedUs: 1 }])
    for (const detail of ['x', 'y', 'x']) incidents.begin('tuned', detail, 10)
    expect(incidents.openDetails('tuned')).toEqual(['before', 'x', 'y'])
    file.take(incidents)
    incidents.end('tuned', 20, 'y')
    incidents.end('tuned', 20, 'z')
    file.take(incidents)
    expect(file.rows).toEqual([
      { kind: 'tuned', started: 10, ended: null },
      { kind: 'tuned', started: 10, ended: 20 },
    ])
    expect(incidents.openDetails('tuned')).toEqual(['before', 'x'])
  })

  it('that go on are written to a new file again, those that are over are not', () => {
    const incidents = new Incidents()
    const [a, b] = [new File('a'), new File('b')]
    incidents.begin('disk_full', 'x', 10)
    incidents.note('store_gone', 'y', 11, 12)
    a.take(incidents)
    expect(incidents.pending('b')).toBe(true)
    b.take(incidents)
    expect(a.rows).toHaveLength(2)
    expect(b.rows).toEqual([{ kind: 'disk_full', started: 10, ended: null }])
  })

  it('are written again when the batch was not committed', () => {
    const incidents = new Incidents()
    const [lost, kept] = [new File('a'), new File('a')]
    incidents.note('store_set_aside', 'x', 1, 2)
    incidents.write(lost.store, 1, 'a')
    expect(incidents.pending('a')).toBe(true)
    kept.take(incidents)
    expect(kept.rows).toHaveLength(1)
  })

  it('begin anew after their end, and stay bounded while nothing can be written', () => {
    const incidents = new Incidents()
    for (let n = 0; n < 1_000; n++) {
      incidents.begin('wal_pinned', 'x', 2 * n)
      incidents.end('wal_pinned', 2 * n + 1)
    }
    const file = new File('a')
    file.take(incidents)
    expect(file.rows).toHaveLength(100)
    expect(file.rows.at(-1)).toEqual({ kind: 'wal_pinned', started: 1_998, ended: 1_999 })
  })

  it('that an earlier writer has begun go on under their row', () => {
    const file = new File('a')
    const earlier = new Incidents()
    earlier.begin('disk_full', 'x', 10)
    file.take(earlier)
    const incidents = new Incidents()
    // The next writer meets the full disk before it can open the store.
    incidents.begin('disk_full', 'x', 20)
    const rows = [{ id: 1, kind: 'disk_full', detail: 'x', startedUs: 10 } as const]
    incidents.goOn('a', rows)
    incidents.goOn('a', rows)
    expect(incidents.pending('a')).toBe(false)
    incidents.end('disk_full', 30)
    file.take(incidents)
    expect(file.rows).toEqual([{ kind: 'disk_full', started: 10, ended: 30 }])
    incidents.begin('disk_full', 'x', 40)
    file.take(incidents)
    expect(file.rows).toHaveLength(2)
  })

  it('that an earlier writer has begun and this one knows nothing of are ended by it', () => {
    const file = new File('a')
    const earlier = new Incidents()
    earlier.begin('journal_full', 'x', 10)
    file.take(earlier)
    const incidents = new Incidents()
    incidents.goOn('a', [{ id: 1, kind: 'journal_full', detail: 'x', startedUs: 10 }])
    expect(incidents.isOpen('journal_full')).toBe(true)
    incidents.end('journal_full', 30)
    file.take(incidents)
    expect(file.rows).toEqual([{ kind: 'journal_full', started: 10, ended: 30 }])
  })
})
