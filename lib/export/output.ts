import { lstatSync, rmSync } from 'node:fs'
import { type FileHandle, link, open, rename } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { codeOf } from '../store/errors.js'
import { alreadyThere, cannotWrite, ExportError } from './errors.js'

const FILE_MODE = 0o600
/** Codes of the file system, and of SQLite when it hands one on. */
const OF_THE_DISK = /^(?:E[A-Z\d]+|SQLITE_(?:FULL|IOERR\w*|CANTOPEN|READONLY\w*))$/
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Where pieces of text go, one after the other. */
export interface Sink {
  /** Done when the next piece may come; `false`: nobody wants it. */
  write(text: string): Promise<boolean>
}

/** Hands the pieces on as fast as they are taken; returns `false` when nobody wanted them all. */
export async function writeAll(pieces: Iterable<string>, sink: Sink): Promise<boolean> {
  for (const piece of pieces) {
    if (piece !== '' && !(await sink.write(piece))) return false
    // Signals and timers get their turn, however fast the pieces are taken.
    await setImmediate()
  }
  return true
}

/** A pipe, terminal or file that is open already. A reader that has seen enough is the end of the work, no failure. */
export function streamSink(stream: NodeJS.WritableStream): Sink {
  return {
    write: text =>
      new Promise((resolve, reject) => {
        stream.write(text, error => {
          if (error === null || error === undefined) resolve(true)
          else if (codeOf(error) === 'EPIPE') resolve(false)
          else reject(cannotWrite('The output', error))
        })
      }),
  }
}

/** A name beside the path, for what is not whole yet. */
export function temporaryName(path: string): string {
  return join(dirname(path), `.${basename(path).slice(0, 150)}.${process.pid}.part`)
}

export function refuseExisting(path: string, force: boolean): void {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!force) throw alreadyThere(path)
  if (!found.isFile()) throw new ExportError(`${path} is not a regular file. Choose another name.`)
}

/**
 * Runs work that makes something under a temporary name, which is removed when the work fails or a signal ends the
 * process.
 */
export async function withTemporary<T>(path: string, work: (temporary: string) => Promise<T>): Promise<T> {
  const temporary = temporaryName(path)
  const remove = () => rmSync(temporary, { recursive: true, force: true })
  const onSignal = (signal: NodeJS.Signals) => {
    remove()
    stop()
    process.kill(process.pid, signal)
  }
  const stop = () => {
    for (const signal of SIGNALS) process.removeListener(signal, onSignal)
  }
  for (const signal of SIGNALS) process.on(signal, onSignal)
  try {
    // Of a process with this number that was killed.
    remove()
    return await work(temporary)
  } catch (error) {
    remove()
    throw OF_THE_DISK.test(codeOf(error)) ? cannotWrite(path, error) : error
  } finally {
    stop()
  }
}

/**
 * Writes a file (0600) that is there whole or not at all. One that is there already is replaced only with `force`.
 *
 * @param keep asked at the end; `false`: there is nothing worth a file
 */
export async function writeFile(
  path: string,
  pieces: Iterable<string>,
  options: { readonly force: boolean; readonly keep: () => boolean },
): Promise<void> {
  refuseExisting(path, options.force)
  await withTemporary(path, async temporary => {
    const file = await open(temporary, 'wx', FILE_MODE)
    try {
      await writeAll(pieces, fileSink(file))
      await file.sync()
    } finally {
      await file.close()
    }
    if (options.keep()) await publish(temporary, path, options.force)
    rmSync(temporary, { force: true })
  })
}

function fileSink(file: FileHandle): Sink {
  return {
    async write(text) {
      // Unlike write(), it goes on after a part.
      await file.writeFile(text)
      return true
    },
  }
}

/** Gives the file its name; a link, unlike a rename, does not replace what has appeared there meanwhile. */
async function publish(temporary: string, path: string, force: boolean): Promise<void> {
  if (force) return rename(temporary, path)
  try {
    await link(temporary, path)
  } catch (error) {
    if (codeOf(error) === 'EEXIST') throw alreadyThere(path)
    // A file system without links.
    refuseExisting(path, false)
    await rename(temporary, path)
  }
}
