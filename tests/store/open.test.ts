import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { journalPath } from '../../lib/queue/journal-format.js'
import { type Driver, loadDriver } from '../../lib/store/driver.js'
import { DriverError, ForeignStoreError, SchemaTooNewError, StoreSetupError } from '../../lib/store/errors.js'
import { StoreWriter } from '../../lib/store/insert.js'
import { identify } from '../../lib/store/inspect.js'
import { openForWriting } from '../../lib/store/open.js'
import { SCHEMA_VERSION } from '../../lib/store/schema.js'
import { setAside } from '../../lib/store/set-aside.js'
import fc from '../support/fast-check.js'
import { all, column, integrity, kept, registerProcess, T0_US, tempFolder } from './temp-store.js'

const require = createRequire(import.meta.url)
const mode = (path: string) => statSync(path).mode & 0o777
const corruptNames = (folder: string) => readdirSync(folder).filter(name => name.includes('.corrupt-'))

function storeWithOneCall(): string {
  const path = join(tempFolder(), 'calls.db')
  const db = openForWriting(path)
  const writer = new StoreWriter(db)
  writer.begin()
  const p = registerProcess(writer)
  for (let n = 0; n < 500; n++)
    writer.call(T0_US + n, 0, writer.functionId('f'), p, 1, 1, n, n, 0, 0, null, '[1]', null, null)
  writer.commit()
  db.close()
  return path
}

function overwrite(path: string, offset: number, bytes: Uint8Array): void {
  const content = readFileSync(path)
  content.set(bytes, offset)
  writeFileSync(path, content)
}

describe('a new store', () => {
  it('gets a private folder, a private file whatever the umask, and a .gitignore', () => {
    const before = process.umask(0)
    try {
      const path = join(tempFolder(), '.callsight', 'calls.db')
      const db = kept(openForWriting(path))
      new StoreWriter(db).functionId('f')
      expect(mode(dirname(path))).toBe(0o700)
      expect([path, `${path}-wal`, `${path}-shm`].map(mode)).toEqual([0o600, 0o600, 0o600])
      expect(readFileSync(join(dirname(path), '.gitignore'), 'utf8')).toBe('*\n')
      expect(integrity(db)).toBe('ok')
    } finally {
      process.umask(before)
    }
  })

  it('leaves a folder alone that was there before', () => {
    const folder = tempFolder()
    chmodSync(folder, 0o755)
    kept(openForWriting(join(folder, 'calls.db')))
    expect(mode(folder)).toBe(0o755)
    expect(existsSync(join(folder, '.gitignore'))).toBe(false)
  })

  it('fills an empty file, and its settings are in force', () => {
    const path = join(tempFolder(), 'calls.db')
    writeFileSync(path, '')
    const db = kept(openForWriting(path, { busyTimeoutMs: 60 }))
    const pragma = (name: string) => column(db, `PRAGMA ${name}`)[0]
    expect(pragma('user_version')).toBe(SCHEMA_VERSION)
    expect(pragma('auto_vacuum')).toBe(2)
    expect(pragma('journal_mode')).toBe('wal')
    expect(pragma('synchronous')).toBe(1)
    expect(pragma('busy_timeout')).toBe(60)
    expect(pragma('mmap_size') ?? 0).toBe(0)
    expect(pragma('trusted_schema')).toBe(0)
    expect(pragma('cell_size_check')).toBe(1)
  })

  it('is opened again with what it held, without a changed schema', () => {
    const path = storeWithOneCall()
    const db = kept(openForWriting(path))
    expect(column(db, 'SELECT count(*) FROM calls')).toEqual([500])
    expect(integrity(db)).toBe('ok')
  })

  it('says so when SQLite does not take a setting', () => {
    const path = join(tempFolder(), 'calls.db')
    const Real = loadDriver()
    // A file system without shared memory: SQLite keeps its rollback journal and reports that.
    class WithoutWal extends (Real as unknown as new (...args: unknown[]) => ReturnType<typeof kept>) {
      override exec(sql: string): unknown {
        return super.exec(sql.startsWith('PRAGMA journal_mode') ? 'SELECT 1' : sql)
      }
    }
    const open = () => openForWriting(path, { driver: WithoutWal as unknown as Driver })
    expect(open).toThrow(StoreSetupError)
    expect(open).toThrow(/network file system/)
  })

  it('refuses a path that SQLite would trim to another one', () => {
    const path = `${join(tempFolder(), 'calls.db')} `
    expect(() => openForWriting(path)).toThrow(StoreSetupError)
  })

  it('says which folder cannot be made', () => {
    const file = join(tempFolder(), 'file')
    writeFileSync(file, 'x')
    expect(() => openForWriting(join(file, 'below', 'calls.db'))).toThrow(/cannot be created/)
    expect(readFileSync(file, 'utf8')).toBe('x')
  })
})

describe('what is not ours stays as it is', () => {
  const Database = loadDriver()
  const foreignDatabase = (path: string, sql: string) => {
    const db = new Database(path)
    db.exec(sql)
    db.close()
  }

  it.each<[string, (path: string) => void]>([
    ['a text file', path => writeFileSync(path, 'dear diary\n'.repeat(1000))],
    ['one byte', path => writeFileSync(path, 'x')],
    ['a dump of our own schema', path => writeFileSync(path, 'CREATE VIEW recent_errors AS SELECT 1;\n')],
    [
      'random bytes',
      path => writeFileSync(path, Buffer.from(Array.from({ length: 9000 }, (_, i) => (i * 7919) % 251))),
    ],
    ['a truncated SQLite header', path => writeFileSync(path, 'SQLite format 3\0')],
    [
      'a database of another program',
      path => foreignDatabase(path, 'CREATE TABLE t(a); INSERT INTO t VALUES(1)'),
    ],
    ['the same in WAL mode', path => foreignDatabase(path, 'PRAGMA journal_mode=WAL; CREATE TABLE t(a)')],
    ['a database without tables', path => foreignDatabase(path, 'PRAGMA user_version = 5')],
    [
      'our mark on other tables',
      path => foreignDatabase(path, 'PRAGMA application_id=0x43534754; CREATE TABLE calls(a)'),
    ],
  ])('%s', (_name, create) => {
    const path = join(tempFolder(), 'calls.db')
    create(path)
    const before = readFileSync(path)
    const inode = identify(path)
    expect(() => openForWriting(path)).toThrow(ForeignStoreError)
    expect(readFileSync(path).equals(before)).toBe(true)
    expect(identify(path)).toBe(inode)
    expect(corruptNames(dirname(path))).toEqual([])
  })

  it('a database whose log holds rows not moved over yet', () => {
    const path = join(tempFolder(), 'calls.db')
    const app = kept(new Database(path))
    app.exec('PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES(1)')
    const before = [readFileSync(path), readFileSync(`${path}-wal`)]
    expect(() => openForWriting(path)).toThrow(ForeignStoreError)
    expect([readFileSync(path), readFileSync(`${path}-wal`)]).toEqual(before)
    app.exec('INSERT INTO t VALUES(2)')
    expect(column(app, 'SELECT a FROM t')).toEqual([1, 2])
  })

  it('a directory, a symbolic link, a dangling link', () => {
    const folder = tempFolder()
    mkdirSync(join(folder, 'dir.db'))
    const target = storeWithOneCall()
    symlinkSync(target, join(folder, 'link.db'))
    symlinkSync(join(folder, 'nowhere'), join(folder, 'dangling.db'))
    for (const name of ['dir.db', 'link.db', 'dangling.db'])
      expect(() => openForWriting(join(folder, name))).toThrow(ForeignStoreError)
    expect(() => openForWriting('/dev/null')).toThrow(ForeignStoreError)
    expect(existsSync(join(folder, 'nowhere'))).toBe(false)
  })

  it('a store of a newer version', () => {
    const path = storeWithOneCall()
    foreignDatabase(path, `PRAGMA user_version = ${SCHEMA_VERSION + 1}`)
    const before = readFileSync(path)
    expect(() => openForWriting(path)).toThrow(SchemaTooNewError)
    expect(readFileSync(path).equals(before)).toBe(true)
  })
})

describe('a damaged store is set aside and a new one started', () => {
  it.each<[string, (path: string) => void]>([
    ['the first page overwritten', path => overwrite(path, 0, Buffer.alloc(4096, 0xa5))],
    ['the magic overwritten', path => overwrite(path, 0, Buffer.alloc(16, 0x21))],
    ['the schema page overwritten', path => overwrite(path, 100, Buffer.alloc(3996, 0xff))],
    ['all zeros', path => writeFileSync(path, Buffer.alloc(statSync(path).size))],
    ['cut to two pages', path => writeFileSync(path, readFileSync(path).subarray(0, 8192))],
    [
      'every page but the first overwritten',
      path => overwrite(path, 4096, Buffer.alloc(statSync(path).size - 4096, 0xff)),
    ],
  ])('%s', (_name, damage) => {
    const path = storeWithOneCall()
    damage(path)
    const damaged = readFileSync(path)
    const moved: string[] = []
    const db = kept(openForWriting(path, { onSetAside: to => moved.push(to) }))
    expect(moved).toHaveLength(1)
    expect(moved[0]).toMatch(/calls\.db\.corrupt-\d{8}T\d{6}Z$/)
    expect(readFileSync(moved[0]!).equals(damaged)).toBe(true)
    expect(column(db, 'SELECT count(*) FROM calls')).toEqual([0])
    expect(integrity(db)).toBe('ok')
    expect(existsSync(`${path}.set-aside`)).toBe(false)
  })

  it('never throws anything but its own errors, and never loses the bytes, for random damage', () => {
    const original = readFileSync(storeWithOneCall())
    const run = fc.tuple(fc.nat(original.length - 1), fc.uint8Array({ minLength: 1, maxLength: 600 }))
    fc.assert(
      fc.property(fc.array(run, { minLength: 1, maxLength: 4 }), runs => {
        const path = join(tempFolder(), 'calls.db')
        const bytes = Buffer.from(original)
        for (const [at, junk] of runs) bytes.set(junk.subarray(0, bytes.length - at), at)
        writeFileSync(path, bytes)
        let db: ReturnType<typeof openForWriting> | undefined
        try {
          db = openForWriting(path)
        } catch (error) {
          const ours = [ForeignStoreError, SchemaTooNewError, StoreSetupError].some(
            type => error instanceof type,
          )
          expect(ours, String(error)).toBe(true)
          expect(readFileSync(path).length).toBe(bytes.length)
          return
        } finally {
          db?.close()
        }
        for (const name of corruptNames(dirname(path)).filter(file => file.endsWith('Z')))
          expect(readFileSync(join(dirname(path), name)).equals(bytes)).toBe(true)
      }),
      { numRuns: 60 },
    )
  })

  it('takes the log along, keeps earlier ones, and leaves a file alone that was replaced meanwhile', () => {
    const folder = tempFolder()
    const path = join(folder, 'calls.db')
    writeFileSync(path, 'one')
    writeFileSync(`${path}-wal`, 'log')
    const first = setAside(path)!
    expect(readFileSync(`${first}-wal`, 'utf8')).toBe('log')
    expect(existsSync(path) || existsSync(`${path}-wal`)).toBe(false)
    writeFileSync(path, 'two')
    const second = setAside(path)!
    expect([first, second].map(name => readFileSync(name, 'utf8'))).toEqual(['one', 'two'])
    writeFileSync(path, 'three')
    expect(setAside(path, '0:0')).toBeNull()
    expect(readFileSync(path, 'utf8')).toBe('three')
  })
})

describe('the driver is guarded', () => {
  const real = {
    load: () => loadDriver(),
    resolve: () => require.resolve('better-sqlite3'),
    napi: process.versions['napi'],
    node: process.versions.node,
  }

  it('a version that would crash this Node is refused before it is loaded', () => {
    const folder = join(tempFolder(), 'better-sqlite3')
    mkdirSync(join(folder, 'lib'), { recursive: true })
    writeFileSync(join(folder, 'package.json'), '{"name":"better-sqlite3","version":"13.2.0"}')
    let loads = 0
    const source = {
      load: () => {
        loads++
        return loadDriver()
      },
      resolve: () => join(folder, 'lib', 'index.js'),
      node: '24.19.0',
    }
    expect(() => loadDriver({ ...source, napi: '9' })).toThrow(/better-sqlite3@12/)
    expect(loads).toBe(0)
    expect(loadDriver({ ...source, napi: '10' })).toBe(loadDriver())
  })

  it('where collected connections abort the process, they are kept', async () => {
    setFlagsFromString('--expose-gc')
    const folder = join(tempFolder(), 'better-sqlite3')
    mkdirSync(join(folder, 'lib'), { recursive: true })
    writeFileSync(join(folder, 'package.json'), '{"name":"better-sqlite3","version":"12.11.1"}')
    const source = { load: () => loadDriver(), resolve: () => join(folder, 'lib', 'index.js'), napi: '10' }
    const collect = runInNewContext('gc') as () => void
    const collected = async (driver: Driver): Promise<boolean> => {
      const connection = new WeakRef(new driver(':memory:'))
      for (let tries = 0; tries < 20 && connection.deref() !== undefined; tries++) {
        await new Promise(resolve => setTimeout(resolve, 1))
        collect()
      }
      return connection.deref() === undefined
    }
    expect(loadDriver({ ...source, node: '24.18.1' })).toBe(loadDriver())
    expect(await collected(loadDriver({ ...source, node: '24.18.1' }))).toBe(true)
    for (const node of ['24.19.0', '25.0.0']) {
      const driver = loadDriver({ ...source, node })
      expect(new driver(':memory:').prepare('SELECT 1').pluck().get()).toBe(1)
      expect(await collected(driver)).toBe(false)
    }
  })

  it('a missing package or binding says what to do', () => {
    const missing = () => {
      throw new Error('Could not locate the bindings file. Tried:\n → a\n → b')
    }
    expect(() => loadDriver({ ...real, load: missing })).toThrow(DriverError)
    expect(() => loadDriver({ ...real, load: missing })).toThrow(/npm rebuild better-sqlite3/)
    expect(() => loadDriver({ ...real, resolve: missing })).toThrow(/npm install better-sqlite3/)
  })
})

it('columns of the tables are what the statements expect', () => {
  const db = kept(openForWriting(join(tempFolder(), 'calls.db')))
  expect(all(db, 'PRAGMA table_info(calls)')).toHaveLength(13)
  expect(all(db, 'PRAGMA table_info(errors)')).toHaveLength(18)
})

describe('a name that leaves no room for those of the files beside it', () => {
  it('is refused, and nothing is made', () => {
    const folder = tempFolder()
    expect(() => openForWriting(join(folder, `${'c'.repeat(201)}`))).toThrow(/too long.*CALLSIGHT_DB/)
    expect(readdirSync(folder)).toEqual([])
    const longest = join(folder, 'c'.repeat(200))
    kept(openForWriting(longest))
    const journal = `${journalPath(longest, '0'.repeat(16), 999_999_999, 999_999_999)}.unreadable`
    writeFileSync(journal, '')
    expect(readdirSync(folder)).toContain(basename(journal))
  })
})
