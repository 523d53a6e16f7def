import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { openStore, type Store } from '../store/read.js'
import type { Choice } from './choice.js'
import { type CutOut, cutOut } from './cut-out.js'
import { alreadyThere, ExportError } from './errors.js'
import { withTemporary } from './output.js'
import { page } from './page.js'

export interface BundleOptions {
  readonly choice: Choice
  /** Most bytes of both files together. */
  readonly maxBytes: number
  /** With arguments, results and messages. */
  readonly content: boolean
  /** Replace a bundle that is there. */
  readonly force: boolean
  /** Of callsight. */
  readonly version: string
}

export interface Bundle extends CutOut {
  /** Bytes of both files. */
  readonly bytes: number
}

export const STORE_NAME = 'calls.db'
const LOGS = ['-wal', '-shm', '-journal'] as const
export const PAGE_NAME = 'incident.html'
/** A store without any record has about 150 kB. */
export const LEAST_BUNDLE_BYTES = 500_000
const MOST_PAGE_BYTES = 2_000_000
const PAGE_SHARE = 1 / 5
const FOLDER_MODE = 0o700
const FILE_MODE = 0o600

/**
 * Makes a folder (0700) with a small recording and a page that shows it (0600): whole, or not at all.
 *
 * @returns `null` when there is nothing to put into it
 */
export async function writeBundle(
  store: Store,
  folder: string,
  options: BundleOptions,
): Promise<Bundle | null> {
  const path = resolve(folder)
  refuseFolder(path, options.force)
  return withTemporary(path, async temporary => {
    mkdirSync(temporary, { mode: FOLDER_MODE })
    const pageBytes = Math.min(MOST_PAGE_BYTES, Math.floor(options.maxBytes * PAGE_SHARE))
    const nowMs = Date.now()
    const file = join(temporary, STORE_NAME)
    const cut = await inSteps(
      cutOut(store, options.choice, file, {
        maxBytes: options.maxBytes - pageBytes,
        content: options.content,
        recording: basename(store.path),
        nowUs: nowMs * 1000,
      }),
    )
    if (cut.records.calls + cut.records.errors === 0) {
      rmSync(temporary, { recursive: true, force: true })
      return null
    }
    await writePage(file, join(temporary, PAGE_NAME), cut, pageBytes, nowMs, options)
    const names = [STORE_NAME, PAGE_NAME]
    const bytes = names.reduce((sum, name) => sum + statSync(join(temporary, name)).size, 0)
    putInPlace(temporary, path, names)
    return { ...cut, bytes }
  })
}

/** What is told is what can be read in the part that goes with the page. */
async function writePage(
  file: string,
  pagePath: string,
  cut: CutOut,
  maxBytes: number,
  nowMs: number,
  { version, choice }: BundleOptions,
): Promise<void> {
  const part = openStore(file, { now: () => nowMs })
  try {
    const about = { version, about: cut.text, recording: STORE_NAME, traceIds: choice.traceIds, maxBytes }
    const target = await open(pagePath, 'wx', FILE_MODE)
    try {
      await target.writeFile(page(part, about))
      await target.sync()
    } finally {
      await target.close()
    }
  } finally {
    part.close()
  }
}

async function inSteps<T>(steps: Generator<undefined, T>): Promise<T> {
  try {
    for (;;) {
      const step = steps.next()
      if (step.done === true) return step.value
      // Signals get their turn.
      await setImmediate()
    }
  } finally {
    steps.return(undefined as never)
  }
}

function refuseFolder(path: string, force: boolean): void {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isDirectory()) throw new ExportError(`${path} is not a folder. Choose another name.`)
  if (!force && readdirSync(path).length > 0) throw alreadyThere(path)
}

function putInPlace(temporary: string, path: string, names: readonly string[]): void {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) {
    renameSync(temporary, path)
    return
  }
  chmodSync(path, FOLDER_MODE)
  // SQLite would play the log of the recording that was there into the new one: what was left out would be back.
  for (const log of LOGS) rmSync(join(path, STORE_NAME + log), { force: true })
  for (const name of names) renameSync(join(temporary, name), join(path, name))
  rmSync(temporary, { recursive: true, force: true })
}
