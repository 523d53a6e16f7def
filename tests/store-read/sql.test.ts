import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadDriver } from '../../lib/store/driver.js'
import { T0_MS } from './fixture.js'
import { newTestStore, opened } from './new-store.js'

function newStore() {
  const made = newTestStore()
  made.call({ atMs: T0_MS })
  made.expired('calls', 5, T0_MS)
  made.close()
  return { store: opened(made, Date.now), path: made.path }
}

describe('a free query', () => {
  it('gives integers exactly: numbers up to 2^53, bigint beyond', () => {
    const { store } = newStore()
    expect(
      store.sql('SELECT 9007199254740991 a, 9007199254740992 b, -9223372036854775808 c, 1.5 d, NULL e'),
    ).toEqual([{ a: 9007199254740991, b: 9007199254740992n, c: -(2n ** 63n), d: 1.5, e: null }])
  })

  it('takes values by position and by name', () => {
    const { store } = newStore()
    expect(store.sql('SELECT ? a, ? b', [1, 'x'])).toEqual([{ a: 1, b: 'x' }])
    expect(store.sql('SELECT $n a', { n: 2n ** 60n })).toEqual([{ a: 2n ** 60n }])
    expect(() => store.sql('SELECT ?')).toThrow(/refused/)
  })

  it('loses no column of a repeated or special name', () => {
    const { store } = newStore()
    const [row] = store.sql('SELECT 1 id, 2 id, 3 AS "__proto__", 4 "id_2"')
    expect(Object.entries(row ?? {})).toEqual([
      ['id', 1],
      ['id_2', 2],
      ['__proto__', 3],
      ['id_2_2', 4],
    ])
  })

  it('stops at the limit and leaves no read open', () => {
    const { store, path } = newStore()
    const endless = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n'
    expect(store.sql(endless, [], { limit: 3 }).map(row => row['i'])).toEqual([1, 2, 3])
    // A read left open would make the same statement busy and keep the writer from cutting back its log.
    expect(store.sql(endless, [], { limit: 1 }).length).toBe(1)
    expect(store.sql('SELECT id FROM calls UNION ALL SELECT id FROM calls', [], { limit: 1 }).length).toBe(1)
    const writer = new (loadDriver())(path)
    writer.exec("INSERT INTO functions(name) VALUES ('x')")
    expect(writer.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()).toMatchObject({ busy: 0 })
    writer.close()
  })

  it('accepts comments, CTEs, VALUES and EXPLAIN', () => {
    const { store } = newStore()
    for (const sql of [
      '/* a */ -- b\n select 1',
      'VALUES (1)',
      'explain select 1',
      'with a as (select 1) select * from a;',
    ]) {
      expect(store.sql(sql).length).toBeGreaterThan(0)
    }
  })

  it('gives the same statement used by name and freely its own kind of rows', () => {
    const { store } = newStore()
    const text = 'SELECT kind, rows, up_to_us AS upToUs FROM expired WHERE rows > 0'
    expect(store.sql(text)).toEqual([{ kind: 'calls', rows: 5, upToUs: T0_MS * 1000 }])
    expect(store.coverage().expired.calls?.rows).toBe(5)
    expect(store.sql(text)).toEqual([{ kind: 'calls', rows: 5, upToUs: T0_MS * 1000 }])
  })

  it.each([
    "ATTACH 'made.db' AS x",
    "ATTACH 'file:made.db?mode=rwc' AS x",
    "VACUUM INTO 'made.db'",
    "/* SELECT */ VACUUM INTO 'made.db'",
    'DELETE FROM calls',
    'INSERT INTO functions(name) VALUES (1) RETURNING 1',
    'WITH a AS (SELECT 1) DELETE FROM calls',
    'WITH a AS (SELECT 1) INSERT INTO functions(name) SELECT 7 RETURNING 1',
    'CREATE TEMP TABLE t(a)',
    'DROP VIEW losses',
    'PRAGMA query_only = OFF',
    'PRAGMA journal_mode = DELETE',
    'PRAGMA writable_schema = ON',
    'PRAGMA busy_timeout = 600000',
    'PRAGMA wal_checkpoint(TRUNCATE)',
    'PRAGMA cache_size',
    'BEGIN EXCLUSIVE',
    'SELECT 1; DELETE FROM calls',
    "SELECT load_extension('x')",
    'SELECT * FROM nowhere',
    'select',
    '',
    ';',
    '\0',
    'SELECT 1 -- \0 x',
    'SELECTED',
  ])('refuses %j and changes nothing', sql => {
    const { store, path } = newStore()
    const before = readFileSync(path)
    expect(() => store.sql(sql.replaceAll('made.db', join(dirname(path), 'made.db')))).toThrow(
      expect.objectContaining({ code: 'CALLSIGHT_QUERY' }),
    )
    expect(store.calls().length).toBe(1)
    store.close()
    expect(readFileSync(path).equals(before)).toBe(true)
    expect(readdirSync(dirname(path))).toEqual(['calls.db'])
  })
})
