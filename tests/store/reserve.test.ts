import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { giveReserve, keepReserve, reserveBytes, reservePath } from '../../lib/store/reserve.js'

const BYTES = 64 * 1024
let folder: string
let store: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'callsight-reserve-'))
  store = join(folder, 'calls.db')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('the reserve of a store', () => {
  it('takes its whole size, also where files are compressed, and is private', () => {
    expect(keepReserve(store, BYTES)).toBe('there')
    const found = statSync(reservePath(store))
    expect(found.size).toBe(BYTES)
    expect(found.mode & 0o777).toBe(0o600)
    expect(deflateSync(readFileSync(reservePath(store))).length).toBeGreaterThan(0.99 * BYTES)
  })

  it('is made once, given once, and made again', () => {
    keepReserve(store, BYTES)
    const { ino } = statSync(reservePath(store))
    expect(keepReserve(store, BYTES)).toBe('there')
    expect(statSync(reservePath(store)).ino).toBe(ino)
    expect(giveReserve(store)).toBe(true)
    expect(existsSync(reservePath(store))).toBe(false)
    expect(giveReserve(store)).toBe(false)
    expect(keepReserve(store, BYTES)).toBe('there')
  })

  it('is not made where it would be what fills the disk', () => {
    expect(keepReserve(store, 2 ** 60)).toBe('no room')
    expect(existsSync(reservePath(store))).toBe(false)
  })

  it('says when something else is in the way than space', () => {
    expect(keepReserve(join(folder, 'nowhere', 'calls.db'), BYTES)).toBe('unable')
  })

  it('never removes what is not its own', () => {
    writeFileSync(reservePath(store), 'my diary')
    expect(giveReserve(store)).toBe(false)
    expect(keepReserve(store, BYTES)).toBe('there')
    const long = new Date(0)
    utimesSync(reservePath(store), long, long)
    expect(keepReserve(store, BYTES)).toBe('unable')
    expect(readFileSync(reservePath(store), 'utf8')).toBe('my diary')
    rmSync(reservePath(store))
    mkdirSync(reservePath(store))
    expect(keepReserve(store, BYTES)).toBe('unable')
    expect(giveReserve(store)).toBe(false)
    rmSync(reservePath(store), { recursive: true })
    writeFileSync(join(folder, 'elsewhere'), 'callsight reserve\n')
    symlinkSync(join(folder, 'elsewhere'), reservePath(store))
    expect(giveReserve(store)).toBe(false)
    expect(keepReserve(store, BYTES)).toBe('unable')
    expect(readFileSync(join(folder, 'elsewhere'), 'utf8')).toBe('callsight reserve\n')
    rmSync(reservePath(store))
    symlinkSync(join(folder, 'not there'), reservePath(store))
    expect(keepReserve(store, BYTES)).toBe('unable')
    expect(existsSync(join(folder, 'not there')), 'nothing is written through a link').toBe(false)
  })

  it('that a process left half written is made anew, after a while', () => {
    keepReserve(store, BYTES)
    expect(keepReserve(store, 2 * BYTES), 'perhaps it is being written just now').toBe('there')
    expect(statSync(reservePath(store)).size).toBe(BYTES)
    const long = new Date(0)
    utimesSync(reservePath(store), long, long)
    expect(keepReserve(store, 2 * BYTES)).toBe('there')
    expect(statSync(reservePath(store)).size).toBe(2 * BYTES)
  })

  it('is small beside a small store', () => {
    expect(reserveBytes(1024 ** 3)).toBe(1024 ** 2)
    expect(reserveBytes(1024 ** 2)).toBe(64 * 1024)
  })
})
