import { randomBytes } from 'node:crypto'
import { closeSync, lstatSync, openSync, readSync, statfsSync, unlinkSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { classify, codeOf } from './errors.js'

/**
 * The reserve: a file beside the store that holds space for when the disk is full, because then not even a DELETE
 * works. Whoever meets a full disk removes it, the thread that writes a journal as well as the writer; the writer
 * makes it again. All processes of a store share it: whether it is there says whether there was room.
 */
const RESERVE_BYTES = 1024 ** 2
/** A small store has a small reserve. */
const RESERVE_SHARE = 1 / 16
/** Free space at which it is made, in sizes of it: making it must not be what fills the disk. */
const ROOM = 3
/** One that is not complete belongs to a process that writes it now, or to one that died meanwhile. */
const STALE_MS = 10_000
/** By these first bytes it is known as ours: nobody else's file is ever removed. */
const MARK = Buffer.from('callsight reserve\n')

export const reservePath = (storePath: string): string => `${storePath}.reserve`

export function reserveBytes(maxBytes: number): number {
  return Math.max(MARK.length, Math.min(RESERVE_BYTES, Math.floor(maxBytes * RESERVE_SHARE)))
}

/** Removes the reserve; `true` when that gave space back. Never throws. */
export function giveReserve(storePath: string): boolean {
  const path = reservePath(storePath)
  try {
    if (!isOurs(path)) return false
    unlinkSync(path)
    return true
  } catch {
    return false
  }
}

/** `unable`: for another reason than space, which whoever writes next finds out as well. */
export type ReserveState = 'there' | 'no room' | 'unable'

/** Makes the reserve when there is none and there is room for it. Never throws. */
export function keepReserve(storePath: string, bytes: number): ReserveState {
  const path = reservePath(storePath)
  try {
    const found = lstatSync(path, { throwIfNoEntry: false })
    if (found !== undefined) {
      if (!found.isFile()) return 'unable'
      if (found.size >= bytes || Math.abs(Date.now() - found.mtimeMs) < STALE_MS) return 'there'
      if (!isOurs(path)) return 'unable'
      unlinkSync(path)
    }
    if (!hasRoom(dirname(path), bytes * ROOM)) return 'no room'
    make(path, bytes)
    return 'there'
  } catch (error) {
    return classify(error) === 'full' ? 'no room' : 'unable'
  }
}

function make(path: string, bytes: number): void {
  let descriptor: number
  try {
    descriptor = openSync(path, 'wx', 0o600)
  } catch (error) {
    // Another process was faster.
    if (codeOf(error) === 'EEXIST') return
    throw error
  }
  let written = 0
  try {
    // What cannot be compressed takes its space on every file system.
    const content = Buffer.concat([MARK, randomBytes(bytes - MARK.length)])
    while (written < bytes) written += writeSync(descriptor, content, written)
  } finally {
    closeSync(descriptor)
    if (written < bytes) unlinkSync(path)
  }
}

function hasRoom(folder: string, bytes: number): boolean {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize >= bytes
}

/** An empty one was begun by a process that died at that moment. */
function isOurs(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined || !found.isFile()) return false
  const head = Buffer.alloc(MARK.length)
  const descriptor = openSync(path, 'r')
  try {
    const read = readSync(descriptor, head, 0, head.length, 0)
    return read === 0 || head.equals(MARK)
  } finally {
    closeSync(descriptor)
  }
}
