import { execFileSync, spawn } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { loadDriver } from '../../lib/store/driver.js'
import { openStore } from '../../lib/store/read.js'
import { SCHEMA_VERSION } from '../../lib/store/schema.js'
import { T0_MS, TestStore } from './fixture.js'
import { newFolder } from './new-store.js'

function closedStore(path = join(newFolder(), 'calls.db'), options = {}): string {
  const made = new TestStore(path, options)
  made.call({ atMs: T0_MS })
  made.close()
  return path
}

function countCalls(path: string): number {
  const store = openStore(path)
  try {
    return store.calls().length
  } finally {
    store.close()
  }
}

const NOT_FOUND = { name: 'StoreNotFoundError', code: 'CALLSIGHT_STORE_NOT_FOUND' }
const FOREIGN = { name: 'ForeignStoreError', code: 'CALLSIGHT_STORE_FOREIGN' }

describe('what is not a recording', () => {
  it('is refused when missing, and nothing is created', () => {
    const home = newFolder()
    for (const path of [join(home, 'calls.db'), join(home, 'no', 'such', 'calls.db')]) {
      expect(() => openStore(path)).toThrow(expect.objectContaining(NOT_FOUND))
    }
    expect(readdirSync(home)).toEqual([])
  })

  it('is refused as foreign and left byte for byte: text, empty, another program’s database', () => {
    const home = newFolder()
    writeFileSync(join(home, 'text.db'), 'not a database, but long enough to be read as one. '.repeat(40))
    writeFileSync(join(home, 'empty.db'), '')
    for (const wal of ['DELETE', 'WAL']) {
      const db = new (loadDriver())(join(home, `${wal}.db`))
      db.exec(`PRAGMA journal_mode = ${wal}; CREATE TABLE t(a); INSERT INTO t VALUES (1)`)
      db.close()
    }
    const names = readdirSync(home).sort()
    const before = names.map(name => readFileSync(join(home, name)).toString('hex'))
    for (const name of names) {
      expect(() => openStore(join(home, name)), name).toThrow(expect.objectContaining(FOREIGN))
    }
    expect(readdirSync(home).sort()).toEqual(names)
    expect(names.map(name => readFileSync(join(home, name)).toString('hex'))).toEqual(before)
  })

  it('is refused when it is a directory or a pipe, without waiting for a writer of the pipe', () => {
    const home = newFolder()
    expect(() => openStore(home)).toThrow(expect.objectContaining(FOREIGN))
    if (process.platform === 'win32') return
    execFileSync('mkfifo', [join(home, 'pipe')])
    expect(() => openStore(join(home, 'pipe'))).toThrow('is not a regular file')
  })

  it('is refused with the reason when it is of another version or damaged', () => {
    const path = closedStore()
    const setVersion = (version: number) => {
      const db = new (loadDriver())(path)
      db.exec(`PRAGMA user_version = ${version}`)
      db.close()
    }
    setVersion(SCHEMA_VERSION + 1)
    expect(() => openStore(path)).toThrow(expect.objectContaining({ code: 'CALLSIGHT_STORE_NEWER' }))
    setVersion(0)
    expect(() => openStore(path)).toThrow(expect.objectContaining({ code: 'CALLSIGHT_STORE_OLDER' }))
    setVersion(SCHEMA_VERSION)
    truncateSync(path, 4096 * 3)
    expect(() => countCalls(path)).toThrow(expect.objectContaining({ code: 'CALLSIGHT_STORE_DAMAGED' }))
  })
})

describe('a finished recording', () => {
  it('is read without leaving anything beside it or changing a byte', () => {
    const path = closedStore()
    const before = readFileSync(path)
    expect(countCalls(path)).toBe(1)
    expect(readdirSync(join(path, '..'))).toEqual(['calls.db'])
    expect(readFileSync(path).equals(before)).toBe(true)
  })

  it('is read through a symbolic link, with the log beside the real file', () => {
    const path = closedStore()
    const writer = new (loadDriver())(path)
    onTestFinished(() => void writer.close())
    writer.exec('DELETE FROM calls')
    const link = join(newFolder(), 'link.db')
    symlinkSync(path, link)
    expect(countCalls(link)).toBe(0)
    expect(readdirSync(join(link, '..'))).toEqual(['link.db'])
  })

  it('is read under names that mean something to SQLite or URLs', () => {
    const home = newFolder()
    for (const name of ['file:x?mode=memory', ':memory:', 'a#b%20c?d.db', "it's.db"]) {
      expect(countCalls(closedStore(join(home, name)))).toBe(1)
    }
  })

  it('is read together with the log of a killed program, from a copy of both files', () => {
    const path = join(newFolder(), 'calls.db')
    const made = new TestStore(path)
    made.call({ atMs: T0_MS })
    const away = newFolder()
    for (const suffix of ['', '-wal']) copyFileSync(path + suffix, join(away, `calls.db${suffix}`))
    made.close()
    const link = join(newFolder(), 'link.db')
    symlinkSync(join(away, 'calls.db'), link)
    const log = readFileSync(join(away, 'calls.db-wal'))
    for (const name of [join(away, 'calls.db'), link]) {
      expect(countCalls(name)).toBe(1)
      expect(readFileSync(join(away, 'calls.db-wal')).equals(log)).toBe(true)
    }
  })

  it('is read in a folder that may not be written, with and without a log, leaving no copy behind', ctx => {
    const isRoot = process.getuid?.() === 0
    if (process.platform === 'win32') ctx.skip('file modes mean nothing here')
    const home = newFolder()
    chmodSync(home, 0o755)
    const path = join(home, 'calls.db')
    const made = new TestStore(path)
    made.call({ atMs: T0_MS })
    mkdirSync(join(home, 'both'))
    mkdirSync(join(home, 'alone'))
    for (const suffix of ['', '-wal']) copyFileSync(path + suffix, join(home, 'both', `calls.db${suffix}`))
    made.close()
    copyFileSync(path, join(home, 'alone', 'calls.db'))
    const folders = [join(home, 'both'), join(home, 'alone')]
    const temporary = newFolder()
    chmodSync(temporary, 0o777)
    for (const of of folders) {
      for (const name of readdirSync(of)) chmodSync(join(of, name), 0o444)
      chmodSync(of, 0o555)
      onTestFinished(() => chmodSync(of, 0o755))
    }
    // Modes do not bind root, so the reading is done by a process of nobody.
    const script = `
      const { openStore } = await import(${JSON.stringify(libUrl('store/read.ts'))})
      for (const of of ${JSON.stringify(folders)}) {
        const store = openStore(of + '/calls.db')
        console.log(process.getuid(), store.calls().length, store.coverage().processes.ended)
        store.close()
      }`
    const output = execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      encoding: 'utf8',
      env: { ...process.env, TMPDIR: temporary },
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
      ...(isRoot ? { uid: 65_534, gid: 65_534 } : {}),
    })
    const uid = isRoot ? 65_534 : process.getuid?.()
    expect(output).toBe(`${uid} 1 1\n${uid} 1 1\n`)
    expect(folders.map(of => readdirSync(of))).toEqual([['calls.db', 'calls.db-wal'], ['calls.db']])
    expect(readdirSync(temporary).filter(name => name.startsWith('callsight-'))).toEqual([])
  })
})

describe('a recording that is being written', () => {
  it('shows what another process has committed, at once, and its log stays', async () => {
    const path = closedStore()
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '-e', writerScript(path)],
      { stdio: ['pipe', 'pipe', 'inherit'], cwd: fileURLToPath(new URL('../..', import.meta.url)) },
    )
    onTestFinished(() => void child.kill('SIGKILL'))
    const answer = () => new Promise<string>(done => child.stdout.once('data', data => done(String(data))))
    await answer()
    const store = openStore(path)
    onTestFinished(() => store.close())
    for (let expected = 1; expected < 4; expected++) {
      expect(store.sql('SELECT count(*) n FROM functions')).toEqual([{ n: expected + 1 }])
      const written = answer()
      child.stdin.write('more\n')
      await written
    }
    store.close()
    expect(existsSync(`${path}-wal`)).toBe(true)
    child.kill('SIGKILL')
    await new Promise(done => child.once('exit', done))
    expect(openStore(path).sql('SELECT count(*) n FROM functions')).toEqual([{ n: 5 }])
  })

  it('is followed to the new file when the recorder starts one, and reported when it is gone', () => {
    const path = closedStore()
    const store = openStore(path)
    onTestFinished(() => store.close())
    expect(store.calls().length).toBe(1)
    rmSync(path)
    for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true })
    expect(() => store.calls()).toThrow(expect.objectContaining(NOT_FOUND))
    const other = closedStore()
    renameSync(other, path)
    const db = new (loadDriver())(path)
    db.exec('DELETE FROM calls')
    db.close()
    expect(store.calls()).toEqual([])
  })

  it('does not hold the log back between answers', () => {
    const path = join(newFolder(), 'calls.db')
    const made = new TestStore(path)
    onTestFinished(() => made.close())
    const store = openStore(path)
    onTestFinished(() => store.close())
    for (let i = 0; i < 5; i++) {
      made.call({ atMs: T0_MS + i })
      for (const read of [
        () => store.calls({ limit: 1 }),
        () => store.errors(),
        () => store.top(),
        () => store.losses(),
        () => store.coverage(),
        () => store.trace('1'),
        () => store.sql('SELECT * FROM latency_buckets', [], { limit: 1 }),
      ]) {
        read()
        expect(made.db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()).toMatchObject({ busy: 0 })
        expect(statSync(`${path}-wal`).size).toBe(0)
        made.run('INSERT INTO functions(name) VALUES (hex(randomblob(8)))')
      }
    }
  })

  it('keeps the locks of a writer in the same process', () => {
    const path = join(newFolder(), 'calls.db')
    const made = new TestStore(path)
    onTestFinished(() => made.close())
    made.db.exec('BEGIN IMMEDIATE')
    made.call({ atMs: T0_MS })
    for (let i = 0; i < 3; i++) expect(countCalls(path)).toBe(0)
    const script = `
      const { loadDriver } = await import(${JSON.stringify(libUrl('store/driver.ts'))})
      const db = new (loadDriver())(${JSON.stringify(path)}, { timeout: 0 })
      try { db.exec('BEGIN IMMEDIATE'); console.log('taken') } catch (error) { console.log(error.code) }`
    const output = execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      encoding: 'utf8',
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
    })
    expect(output.trim()).toBe('SQLITE_BUSY')
    made.db.exec('COMMIT')
    expect(countCalls(path)).toBe(1)
  })
})

describe('an open store', () => {
  it('says so when it is closed, closes twice, and closes by dispose', () => {
    const store = openStore(closedStore())
    store[Symbol.dispose]()
    store.close()
    expect(() => store.calls()).toThrow(expect.objectContaining({ code: 'CALLSIGHT_STORE_CLOSED' }))
  })

  it('is found by CALLSIGHT_DB when no path is given', () => {
    const before = process.env['CALLSIGHT_DB']
    process.env['CALLSIGHT_DB'] = closedStore(join(newFolder(), 'elsewhere.db'))
    try {
      const store = openStore()
      expect(store.path).toBe(process.env['CALLSIGHT_DB'])
      store.close()
    } finally {
      if (before === undefined) delete process.env['CALLSIGHT_DB']
      else process.env['CALLSIGHT_DB'] = before
    }
  })
})

function libUrl(file: string): string {
  return pathToFileURL(fileURLToPath(new URL(`../../lib/${file}`, import.meta.url))).href
}

function writerScript(path: string): string {
  return `
    const { loadDriver } = await import(${JSON.stringify(libUrl('store/driver.ts'))})
    const db = new (loadDriver())(${JSON.stringify(path)})
    const add = db.prepare("INSERT INTO functions(name) VALUES (hex(randomblob(8)))")
    const step = () => { add.run(); console.log('written') }
    step()
    process.stdin.on('data', step)`
}
