import { closeSync, openSync, readSync } from 'node:fs'

const SOURCE = '/dev/urandom'

/**
 * Random bytes that no other start has. The app may have replaced `Math.random` by something that repeats itself, and
 * `node:crypto`, which asks where there is no such file, is the slowest of Node's modules to load.
 */
export function systemRandom(bytes: number): Buffer {
  return readRandom(bytes) ?? process.getBuiltinModule('node:crypto').randomBytes(bytes)
}

function readRandom(bytes: number): Buffer | null {
  try {
    const file = openSync(SOURCE, 'r')
    try {
      const random = Buffer.alloc(bytes)
      return readSync(file, random) === bytes ? random : null
    } finally {
      closeSync(file)
    }
  } catch {
    return null
  }
}
