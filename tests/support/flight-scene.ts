import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import { Scene, type Victim } from '../faults/harness.js'

const built = (program: string): string =>
  fileURLToPath(new URL(`../.build/standard/${program}.js`, import.meta.url))

/** A scene with a program whose open calls and stalls are read from the file, while it runs or after its death. */
export class FlightScene extends Scene {
  program(name: 'in-flight' | 'stalls', args: string[], nodeArgs: string[] = []): Victim {
    return this.spawn(built(name), args, { nodeArgs })
  }

  /** The rows of a query, by a connection of its own. */
  rows<T>(sql: string): T[] {
    if (!existsSync(this.store)) return []
    const db = new Database(this.store, { readonly: true })
    try {
      return db.prepare(sql).all() as T[]
    } catch (error) {
      // The file is there before its tables are.
      if (/no such table/.test(String(error))) return []
      throw error
    } finally {
      db.close()
    }
  }

  /** Asks until the answer fits. */
  async until<T>(sql: string, fits: (rows: T[]) => boolean): Promise<T[]> {
    for (;;) {
      const rows = this.rows<T>(sql)
      if (fits(rows)) return rows
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }
}
