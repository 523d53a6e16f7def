import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadDriver } from '../../lib/store/driver.js'
import { classify, SchemaTooNewError, StoreSetupError } from '../../lib/store/errors.js'
import { StoreWriter } from '../../lib/store/insert.js'
import { migrate } from '../../lib/store/migrate.js'
import { openStore } from '../../lib/store/read.js'
import { MIGRATIONS } from '../../lib/store/schema.js'
import { VIEW_NAMES } from '../../lib/store/sql.js'
import { hex16 } from '../store-read/fixture.js'
import { all, column, kept, T0_US, tempFolder } from './temp-store.js'

const STEPS = [
  ['CREATE TABLE a(x)', 'INSERT INTO a VALUES (1)'],
  ['ALTER TABLE a ADD COLUMN y'],
  ['CREATE TABLE b(x)'],
]

function database() {
  const path = join(tempFolder(), 'm.db')
  const connect = () => kept(new (loadDriver())(path, { timeout: 0 }))
  return { path, db: connect(), other: connect() }
}

describe('migrations', () => {
  it('run from the version found to the last, each once', () => {
    const { path, db } = database()
    for (const steps of [STEPS.slice(0, 1), STEPS, STEPS]) migrate(db, path, steps)
    expect(column(db, 'PRAGMA user_version')).toEqual([3])
    expect(column(db, 'SELECT x FROM a')).toEqual([1])
  })

  it('that fail leave the version before them whole', () => {
    const { path, db } = database()
    const broken = [STEPS[0]!, ['CREATE TABLE c(x)', 'INSERT INTO nowhere VALUES (1)']]
    expect(() => migrate(db, path, broken)).toThrow(/nowhere/)
    expect(column(db, 'PRAGMA user_version')).toEqual([1])
    expect(column(db, `SELECT name FROM sqlite_schema WHERE type = 'table'`)).toEqual(['a'])
    migrate(db, path, STEPS)
    expect(column(db, 'PRAGMA user_version')).toEqual([3])
  })

  it('done by another process between the look and the lock are not done twice', () => {
    const { path, db, other } = database()
    const racing = {
      get open() {
        return db.open
      },
      get inTransaction() {
        return db.inTransaction
      },
      prepare: (sql: string) => db.prepare(sql),
      close: () => db.close(),
      exec: (sql: string) => {
        if (sql.startsWith('BEGIN')) migrate(other, path, STEPS)
        return db.exec(sql)
      },
    }
    migrate(racing, path, STEPS)
    expect(column(db, 'SELECT x FROM a')).toEqual([1])
    expect(column(db, 'PRAGMA user_version')).toEqual([3])
  })

  it('refuse a file that is ahead of them', () => {
    const { path, db } = database()
    migrate(db, path, STEPS)
    expect(() => migrate(db, path, STEPS.slice(0, 2))).toThrow(SchemaTooNewError)
  })
})

describe('a file of version 1', () => {
  it('gets the new tables and views, and its old view of losses in the new form', () => {
    const { path, db } = database()
    migrate(db, path, MIGRATIONS.slice(0, 1))
    db.exec('CREATE VIEW losses AS SELECT minute, reason FROM drops')
    db.exec(
      "INSERT INTO drops VALUES (29000000, 0, 1, 0, 'queue_full', 3, 1740000000000000, 1740000001000000)",
    )
    migrate(db, path)
    expect(column(db, 'PRAGMA user_version')).toEqual([MIGRATIONS.length])
    expect(column(db, 'SELECT last_at FROM losses')).toEqual(['2025-02-19T21:20:01.000Z'])
    const views = column(db, "SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name")
    expect(views).toEqual([...VIEW_NAMES].sort())
    for (const view of VIEW_NAMES) expect(column(db, `SELECT count(*) FROM ${view}`)).toHaveLength(1)
  })
})

describe('a file of version 2', () => {
  it('gets the tables of version 3 and keeps what it has', () => {
    const { path, db } = database()
    migrate(db, path, MIGRATIONS.slice(0, 2))
    db.exec("INSERT INTO incidents VALUES (1, 1, 'disk_full', 10, NULL, 'x')")
    expect(() => column(db, 'SELECT count(*) FROM recorder_states')).toThrow(/no such table/)
    migrate(db, path)
    expect(column(db, 'PRAGMA user_version')).toEqual([MIGRATIONS.length])
    expect(column(db, 'SELECT kind FROM incidents')).toEqual(['disk_full'])
    for (const table of ['recorder_states', 'hours', 'tunings'])
      expect(column(db, `SELECT count(*) FROM ${table}`)).toEqual([0])
  })
})

describe('a file of version 3', () => {
  it('keeps its calls and their traces, and takes roots in order', () => {
    const { path, db } = database()
    migrate(db, path, MIGRATIONS.slice(0, 3))
    db.exec(`
      INSERT INTO processes VALUES (1, '00000000000000aa', 1, 'a.js', 'h', 'v20', '1', ${T0_US}, ${T0_US + 900}, NULL, NULL);
      INSERT INTO functions VALUES (1, 'f');
      INSERT INTO calls VALUES (${T0_US + 10} * 2048, 1, 1, 5, 1, 1, 1, NULL, 0, NULL, NULL, NULL, NULL);
      INSERT INTO calls VALUES (${T0_US + 9} * 2048, 1, 1, 5, 1, 2, 1, 1, 0, NULL, NULL, NULL, NULL)`)
    const shown = () => all(db, 'SELECT trace_id, call_id, parent_id FROM recent_calls')
    const before = shown()
    migrate(db, path)
    expect(column(db, 'PRAGMA user_version')).toEqual([MIGRATIONS.length])
    expect(shown()).toEqual(before)
    const writer = new StoreWriter(db)
    writer.begin()
    for (const n of [3, 4]) writer.call(T0_US + 10 * n, n, 1, 1, 5, 1, n, n, 0, 0, null, null, null, null)
    writer.commit()
    expect(column(db, 'SELECT trace FROM calls ORDER BY call')).toEqual([1, 1, 3, 0])
    using store = openStore(path)
    const idsOf = (call: number) =>
      store
        .trace(`00000000000000aa${hex16(call)}`)
        .map(row => row.call_id)
        .sort()
    expect([1, 3, 4].map(idsOf)).toEqual([[hex16(1), hex16(2)], [hex16(3)], [hex16(4)]])
    expect(column(db, 'PRAGMA integrity_check')).toEqual(['ok'])
  })

  it('is still written by a recorder of that version which was at work when the file changed', () => {
    const { path, db, other } = database()
    migrate(db, path, MIGRATIONS.slice(0, 3))
    db.exec(`INSERT INTO functions VALUES (1, 'f'), (2, 'g')`)
    db.exec(
      `INSERT INTO processes VALUES (1, '00000000000000aa', 1, 'a.js', 'h', 'v20', '1', ${T0_US}, ${T0_US + 900}, NULL, NULL)`,
    )
    // Prepared once and kept, as that version does; roots have the number of their trace.
    const insert = other.prepare(
      'INSERT INTO calls VALUES (?, ?, 1, 5, 1, ?, ?, ?, 0, NULL, NULL, NULL, NULL)',
    )
    const record = (n: number) => {
      other.exec('BEGIN IMMEDIATE')
      insert.run((T0_US + 100 * n) * 2048, 2, n + 1, n, n)
      insert.run((T0_US + 100 * n + 1) * 2048, 1, n, n, null)
      other.exec('COMMIT')
    }
    for (const n of [1, 11]) record(n)
    migrate(db, path)
    for (const n of [21, 31]) record(n)
    using store = openStore(path)
    for (const n of [1, 11, 21, 31]) {
      const rows = store.trace(`00000000000000aa${hex16(n)}`)
      expect(rows.map(row => [row.function, row.call_id, row.parent_id]).sort()).toEqual([
        ['f', hex16(n), null],
        ['g', hex16(n + 1), hex16(n)],
      ])
    }
    expect(column(db, 'PRAGMA integrity_check')).toEqual(['ok'])
  })
})

describe('failures are sorted by what can be done', () => {
  it.each([
    ['SQLITE_BUSY_SNAPSHOT', 'busy'],
    ['SQLITE_LOCKED', 'busy'],
    ['SQLITE_FULL', 'full'],
    ['ENOSPC', 'full'],
    ['SQLITE_CORRUPT_VTAB', 'corrupt'],
    ['SQLITE_NOTADB', 'corrupt'],
    ['SQLITE_IOERR_WRITE', 'io'],
    ['SQLITE_READONLY_DIRECTORY', 'readonly'],
    ['SQLITE_READONLY_DBMOVED', 'gone'],
    ['SQLITE_CANTOPEN_ISDIR', 'gone'],
    ['SQLITE_TOOBIG', 'data'],
    ['SQLITE_CONSTRAINT_DATATYPE', 'data'],
    ['SQLITE_NOMEM', 'other'],
  ])('%s is %s, also as the cause of a setup error', (code, failure) => {
    const error = Object.assign(new Error('x'), { code })
    expect(classify(error)).toBe(failure)
    expect(classify(new StoreSetupError('y', { cause: error }))).toBe(failure)
  })

  it('a closed connection is gone, and anything else thrown is other', () => {
    const { db } = database()
    const statement = db.prepare('SELECT 1')
    db.close()
    let seen: unknown
    try {
      statement.get()
    } catch (error) {
      seen = error
    }
    expect(classify(seen)).toBe('gone')
    for (const thrown of [undefined, null, 'SQLITE_FULL', new TypeError('x'), { code: 'SQLITE_FULL' }])
      expect(classify(thrown)).toBe('other')
  })
})
