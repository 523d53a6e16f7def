import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { DriverError } from './errors.js'

/** A value that can be bound. Integers beyond 2^31 travel as doubles; SQLite stores them as INTEGER again. */
export type SqlValue = number | bigint | string | Buffer | null

export interface RunResult {
  readonly changes: number
  readonly lastInsertRowid: number | bigint
}

/** What is used of a better-sqlite3 statement. */
export interface Statement {
  run(...values: unknown[]): RunResult
  get(...values: unknown[]): unknown
  all(...values: unknown[]): unknown[]
  /** First column only. */
  pluck(on?: boolean): this
  /** Rows as arrays. */
  raw(on?: boolean): this
  /** 64-bit integers as BigInt. */
  safeIntegers(on?: boolean): this
}

/** What is used of a better-sqlite3 connection. */
export interface Database {
  readonly open: boolean
  readonly inTransaction: boolean
  prepare(sql: string): Statement
  exec(sql: string): unknown
  close(): unknown
}

export interface DriverOptions {
  readonly readonly?: boolean
  readonly fileMustExist?: boolean
  /** Time SQLite itself waits for a lock, in milliseconds. */
  readonly timeout?: number
}

/** The constructor better-sqlite3 exports. */
export type Driver = new (path: string, options?: DriverOptions) => Database

/** Where the driver comes from and what it would run on; given by tests. */
export interface DriverSource {
  readonly load: (name: string) => unknown
  readonly resolve: (name: string) => string
  /** `process.versions.napi` */
  readonly napi: string | undefined
  /** `process.versions.node` */
  readonly node: string
}

const statements = new WeakMap<Database, Map<string, Statement>>()

/**
 * The statement for this text, prepared once for each connection and kept as long as it: better-sqlite3 12 on
 * Node 24.19 and later may abort the process when a statement is garbage-collected. For the same reason the
 * driver's own `pragma()`, which prepares anew each time, is not used.
 */
export function prepared(db: Database, sql: string): Statement {
  let known = statements.get(db)
  if (known === undefined) statements.set(db, (known = new Map()))
  let statement = known.get(sql)
  if (statement === undefined) known.set(sql, (statement = db.prepare(sql)))
  return statement
}

/** The value of a pragma that answers with one. */
export function readPragma(db: Database, name: string): string | number | undefined {
  return prepared(db, `PRAGMA ${name}`).pluck().get() as string | number | undefined
}

const PACKAGE = 'better-sqlite3'
const require = createRequire(import.meta.url)
const INSTALLED: DriverSource = {
  load: name => require(name),
  resolve: name => require.resolve(name),
  napi: process.versions['napi'],
  node: process.versions.node,
}

let installed: Driver | undefined

/**
 * Loads better-sqlite3 and its native binding, once per thread.
 *
 * @throws {DriverError} when the package or its binding is missing, was built for another Node, or would crash
 * this one.
 */
export function loadDriver(source?: DriverSource): Driver {
  if (source !== undefined) return load(source)
  installed ??= load(INSTALLED)
  return installed
}

function load(source: DriverSource): Driver {
  // Version 13 on a Node without Node-API 10 ends the process with SIGSEGV, so this comes before the binding.
  const version = installedVersion(source)
  if (Number.parseInt(version, 10) >= 13 && Number(source.napi ?? 0) < 10)
    throw new DriverError(
      `${PACKAGE} ${version} needs Node-API 10 and this Node (${process.version}) has ${source.napi ?? 'none'}. ` +
        `Install ${PACKAGE}@12, or run Node 22.14 or later.`,
    )
  try {
    const loaded = withoutCollection(source.load(PACKAGE) as Driver, version, source.node)
    // The package loads its binding at the first connection: ask for it here, where the message can say more.
    new loaded(':memory:').close()
    return loaded
  } catch (cause) {
    throw new DriverError(
      `The native part of ${PACKAGE} ${version} cannot be loaded (${firstLine(cause)}). ` +
        `Run "npm rebuild ${PACKAGE}"; without a prebuilt binary for this platform that needs Python and a ` +
        'C++ toolchain (make, g++ or clang).',
      { cause },
    )
  }
}

/** From this Node on, version 12 aborts the process when a connection or a statement is garbage-collected. */
const COLLECTION_ABORTS_FROM = { major: 24, minor: 19 }

/** The driver; where its connections must not be collected, one whose connections are kept to the end. */
function withoutCollection(driver: Driver, version: string, node: string): Driver {
  const [major = 0, minor = 0] = node.split('.').map(Number)
  const { major: from, minor: fromMinor } = COLLECTION_ABORTS_FROM
  const aborts = major > from || (major === from && minor >= fromMinor)
  if (!aborts || Number.parseInt(version, 10) !== 12) return driver
  const kept: Database[] = []
  return class extends driver {
    constructor(...parameters: ConstructorParameters<Driver>) {
      super(...parameters)
      kept.push(this)
    }
  }
}

function installedVersion(source: DriverSource): string {
  let folder: string
  try {
    folder = dirname(source.resolve(PACKAGE))
  } catch (cause) {
    throw new DriverError(`${PACKAGE} is not installed. Run "npm install ${PACKAGE}".`, { cause })
  }
  while (true) {
    try {
      const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
      if (manifest.name === PACKAGE) return String(manifest.version)
    } catch {
      // no manifest at this level: look one higher
    }
    const parent = dirname(folder)
    if (parent === folder)
      throw new DriverError(`${PACKAGE} has no readable package.json. Run "npm install ${PACKAGE}".`)
    folder = parent
  }
}

function firstLine(cause: unknown): string {
  const line = String(cause instanceof Error ? cause.message : cause).split('\n', 1)[0] ?? ''
  // The list of places that follows in the message says nothing to a user.
  return line.replace(/ Tried:$/, '')
}
