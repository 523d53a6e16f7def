import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openStore } from '../../lib/store/read.js'
import { addTuning } from '../../lib/store/write-tunings.js'
import { T0_MS, TestStore } from './fixture.js'
import { newFolder } from './new-store.js'

function made(...sql: readonly string[]): string {
  const path = join(newFolder(), 'calls.db')
  const store = new TestStore(path, { wal: false })
  store.call({ atMs: T0_MS })
  store.error({ atMs: T0_MS })
  for (const statement of sql) store.db.exec(statement)
  store.close()
  return path
}

const ENDLESS = 'WITH RECURSIVE n(a) AS (SELECT 1 UNION ALL SELECT a FROM n)'
const DID_NOT_WRITE = expect.objectContaining({
  code: 'CALLSIGHT_STORE_DAMAGED',
  message: expect.stringContaining('did not write all of it'),
})
const thrownBy = (work: () => unknown): unknown => {
  try {
    return work()
  } catch (error) {
    return error
  }
}

describe('a file that is marked as ours and declared by somebody else is refused before anything of it is asked', () => {
  it.each([
    [
      'a view for a table',
      ['DROP TABLE drops', `CREATE VIEW drops AS ${ENDLESS} SELECT a FROM n WHERE a < 0`],
    ],
    ['a view in capitals', ['DROP TABLE drops', `CREATE VIEW DROPS AS ${ENDLESS} SELECT a FROM n`]],
    [
      'a computed column',
      [
        'DROP TABLE expired',
        "CREATE TABLE expired (kind TEXT PRIMARY KEY, rows INTEGER, up_to_us TEXT AS (printf('%.400000000c', 'x')))",
      ],
    ],
    [
      'a virtual table',
      ['DROP TABLE functions', 'CREATE VIRTUAL TABLE functions USING fts5(function_id, name)'],
    ],
    [
      'a trigger',
      [
        `CREATE TRIGGER mine AFTER INSERT ON tunings BEGIN DELETE FROM calls WHERE 1 IN (${ENDLESS} SELECT a FROM n WHERE a < 0); END`,
      ],
    ],
    [
      'a column behind what looks like a comment',
      [
        'DROP TABLE expired',
        'CREATE TABLE expired (kind "TEXT --" PRIMARY KEY,\nrows INTEGER, up_to_us INTEGER)',
      ],
    ],
  ])('%s', (_, sql) => {
    const path = made(...sql)
    expect(thrownBy(() => openStore(path))).toEqual(DID_NOT_WRITE)
    const tuning = { pattern: '*', options: '{}', process: null, forMs: 1_000, createdBy: 'test' }
    expect(thrownBy(() => addTuning(path, tuning))).toEqual(DID_NOT_WRITE)
  })

  it('but not one with tables, views and indexes of its reader beside ours, or other comments', () => {
    const path = made(
      'CREATE TABLE notes (text TEXT)',
      'CREATE VIEW mine AS SELECT * FROM recent_calls',
      'CREATE INDEX mine_too ON calls(function_id)',
      'DROP TABLE expired',
      'CREATE TABLE expired (\n kind TEXT PRIMARY KEY, -- which\n rows INTEGER NOT NULL, up_to_us INTEGER NOT NULL\n) STRICT, WITHOUT ROWID',
      'ANALYZE',
    )
    const store = openStore(path)
    expect([store.calls().length, store.top()]).toEqual([2, []])
    store.close()
  })
})

describe('a text that no recorder wrote', () => {
  it('is refused before the next row is read, and a query is told what to do', () => {
    const path = made(
      "UPDATE calls SET args = printf('%.9000000c', 'x')",
      "UPDATE errors SET message = printf('%.9000000c', 'x')",
    )
    const store = openStore(path)
    for (const ask of [
      () => store.calls(),
      () => store.errors(),
      () => store.tail(),
      () => [...store.callSlices()],
    ])
      expect(thrownBy(ask)).toEqual(DID_NOT_WRITE)
    expect(() => store.sql('SELECT message FROM recent_errors')).toThrow(/9000000 characters.*substr\(\)/)
    expect(store.sql('SELECT substr(message, 1, 2) AS m FROM recent_errors')).toEqual([{ m: 'xx' }])
    store.close()
  })
})
