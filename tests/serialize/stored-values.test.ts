import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { types } from 'node:util'
import Database from 'better-sqlite3'
import { type Account, configure, flush, monitor, shutdown } from 'callsight'
import { afterAll, describe, expect, it } from 'vitest'
import { DEFAULTS } from '../../lib/config/defaults.js'
import fc from '../support/fast-check.js'
import { injected } from '../support/figures.js'
import { givenSeed } from '../support/seed.js'
import { readLanes } from '../support/store-account.js'
import { anyValue } from './generated-values.js'
import { hostile, traps } from './hostile-values.js'

/** Generated values that go the whole way into SQLite. */
const RUNS = Number(process.env['CALLSIGHT_FUZZ_RUNS'] ?? 6_000)
const CHUNK = 250
/** One byte of msgpack is at most six of JSON (`\u0001`). */
const MAX_JSON_BYTES = 6 * DEFAULTS.limits.bytes

const folder = mkdtempSync(join(tmpdir(), 'callsight-values-'))
const path = join(folder, 'calls.db')
configure({ store: { path }, errors: { fullPerSecond: Number.POSITIVE_INFINITY } })
afterAll(async () => {
  await shutdown()
  rmSync(folder, { recursive: true, force: true })
})

const give = monitor(function give(_argument: unknown, result: unknown): unknown {
  return result
})
const fail = monitor(function fail(_argument: unknown, thrown: unknown): never {
  throw thrown
})

let calls = 0
let errors = 0

/** A call that returns one is recorded when the app starts it, and nobody starts these. */
function isThenable(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || types.isProxy(value)) return false
  if (Object.getPrototypeOf(value) !== Object.prototype) return false
  return typeof Object.getOwnPropertyDescriptor(value, 'then')?.value === 'function'
}

/** One call that returns the value and one that throws it. */
function push(value: unknown, other: unknown): void {
  // In a list: what an app gets back is its own value, and a thenable would be looked at by the test itself.
  const returned: unknown[] = []
  const given = isThenable(value) ? [value] : value
  returned.push(give(other, given))
  calls++
  // Of a native promise comes back the one derived from it.
  if (!Object.is(returned[0], given) && !types.isPromise(value)) throw new Error('another value came back')
  try {
    fail(other, value)
  } catch (thrown) {
    if (!Object.is(thrown, value)) throw new Error('another value was thrown')
    errors++
  }
}

/** A call that returned a promise is recorded when that settles. */
async function settled(): Promise<Account> {
  await new Promise(resolve => setImmediate(resolve))
  return flush()
}

const COLUMNS = { calls: ['args', 'result', 'cuts'], errors: ['args', 'details', 'cuts'] } as const

/** What SQLite itself says of every text in the store. */
function invalid(): Record<string, number> {
  const db = new Database(path, { readonly: true })
  try {
    const found: Record<string, number> = {}
    for (const [table, columns] of Object.entries(COLUMNS)) {
      for (const column of columns) {
        const bad = `${column} IS NOT NULL AND (NOT json_valid(${column}) OR length(CAST(${column} AS BLOB)) > ${MAX_JSON_BYTES})`
        const count = db.prepare(`SELECT count(*) FROM ${table} WHERE ${bad}`).pluck().get() as number
        if (count > 0) found[`${table}.${column}`] = count
      }
      found[table] = db.prepare(`SELECT count(*) FROM ${table}`).pluck().get() as number
    }
    return found
  } finally {
    db.close()
  }
}

describe('row 21: hostile values on the whole way into SQLite', () => {
  it('of the corpus', async () => {
    injected(hostile.length)
    for (const [name, make] of hostile) {
      const value = make()
      traps.fired = 0
      push(value, [value])
      push([value], { value })
      expect(traps.fired, name).toBe(0)
    }
    const account = await settled()
    expect(account.calls).toMatchObject({ produced: calls, stored: calls, dropped: {} })
    expect(account.errors).toMatchObject({ produced: errors, stored: errors, dropped: {} })
    expect(invalid()).toEqual({ calls, errors })
  })

  it(`of ${RUNS} generated ones: nothing thrown, no trap fired, everything stored, all of it valid JSON`, async () => {
    injected(RUNS)
    const first = givenSeed.seed ?? Date.now() & 0xff_ffff
    for (let done = 0; done < RUNS; done += CHUNK) {
      const seed = first + done
      const values = fc.sample(fc.tuple(anyValue, anyValue), { numRuns: Math.min(CHUNK, RUNS - done), seed })
      for (const [makeValue, makeOther] of values) {
        const value = makeValue()
        const other = makeOther()
        traps.fired = 0
        push(value, other)
        if (traps.fired > 0) expect.fail(`${traps.fired} traps fired, seed ${seed}`)
      }
      const account = await settled()
      expect(account.calls, `seed ${seed}`).toMatchObject({ produced: calls, stored: calls, dropped: {} })
      expect(account.errors, `seed ${seed}`).toMatchObject({ produced: errors, stored: errors, dropped: {} })
    }
    expect(calls).toBe(errors)
    expect(calls).toBe(2 * hostile.length + RUNS)
    expect(invalid()).toEqual({ calls, errors })
    expect(readLanes(path).integrity).toBe('ok')
  }, 3_600_000)

  it('says so when a text is not what it should be', () => {
    const db = new Database(path)
    db.prepare("UPDATE calls SET result = '{' WHERE id = (SELECT min(id) FROM calls)").run()
    db.prepare('UPDATE errors SET args = ? WHERE id = (SELECT min(id) FROM errors)').run(
      `"${'x'.repeat(MAX_JSON_BYTES)}"`,
    )
    db.close()
    expect(invalid()).toEqual({ calls, errors, 'calls.result': 1, 'errors.args': 1 })
  })
})
