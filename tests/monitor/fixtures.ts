import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import { expect } from 'vitest'
import { imbalances, readStore } from '../support/store-account.js'

export type Dialect = 'standard' | 'legacy'

const built = (dialect: Dialect, name: string): string =>
  fileURLToPath(new URL(`../.build/${dialect}/${name}.js`, import.meta.url))

/** A compiled module of the fixtures, loaded into this process. */
export async function load<Module>(dialect: Dialect, name: string): Promise<Module> {
  return (await import(/* @vite-ignore */ built(dialect, name))) as Module
}

/** Programs follow contexts as the tests do, see `vitest.config.ts`. */
const PRELOADED =
  process.env['ENTERED_CONTEXT'] === undefined ? [] : ['--import', built('standard', 'entered-context')]

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** An empty working directory with the default place of the store in it, for programs that run one after the other. */
export class Place {
  readonly folder = mkdtempSync(join(tmpdir(), 'callsight-semantics-'))
  readonly store = join(this.folder, '.callsight', 'calls.db')

  run(
    dialect: Dialect,
    name: string,
    args: readonly string[] = [],
    how: { readonly env?: NodeJS.ProcessEnv; readonly node?: readonly string[] } = {},
  ): Promise<Ended> {
    const env: NodeJS.ProcessEnv = { ...process.env, NODE_OPTIONS: '', ...how.env }
    for (const name of ['CALLSIGHT', 'CALLSIGHT_DB', 'CALLSIGHT_SAMPLE']) {
      if (how.env?.[name] === undefined) delete env[name]
    }
    return new Promise(resolve => {
      const child = execFile(
        process.execPath,
        [...PRELOADED, ...(how.node ?? []), built(dialect, name), ...args],
        { cwd: this.folder, env, timeout: 60_000 },
        (_, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr }),
      )
    })
  }

  /** Runs a program that must end well, and gives back the JSON it printed. */
  async json<T>(...run: Parameters<Place['run']>): Promise<T> {
    const ended = await this.run(...run)
    if (ended.code !== 0 || ended.stderr !== '') {
      throw new Error(`the program ended with code ${ended.code}: ${ended.stderr}`)
    }
    return JSON.parse(ended.stdout) as T
  }

  rows<T>(sql: string, ...params: unknown[]): T[] {
    const db = new Database(this.store, { readonly: true, fileMustExist: true })
    try {
      return db.prepare(sql).all(...params) as T[]
    } finally {
      db.close()
    }
  }

  /** Whatever the programs did, the account of each of them must add up in the file. */
  dispose(): void {
    if (existsSync(this.store)) {
      const account = readStore(this.store)
      expect(imbalances(account), 'produced = stored + dropped in every lane').toEqual(
        account.lanes.map(() => 0),
      )
    }
    rmSync(this.folder, { recursive: true, force: true })
  }
}
