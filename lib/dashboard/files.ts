import { readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'

/** A file of the page, in memory. */
export interface PageFile {
  readonly type: string
  readonly content: Buffer
  /** Its name changes with its content. */
  readonly isHashed: boolean
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
}

/**
 * All files of the page by the path they are asked for. They are read once: later a path of a request is only looked up
 * here, and never becomes a path of this machine.
 */
export function readPage(folder: string): ReadonlyMap<string, PageFile> {
  const files = new Map<string, PageFile>()
  for (const entry of entriesOf(folder)) {
    const type = TYPES[extname(entry)]
    if (type === undefined) continue
    const path = `/${entry.replaceAll('\\', '/')}`
    files.set(path, {
      type,
      content: readFileSync(join(folder, entry)),
      isHashed: path.startsWith('/assets/'),
    })
  }
  return files
}

/** None where the page has not been built. */
function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile())
      .map(entry =>
        join(entry.parentPath, entry.name)
          .slice(folder.length)
          .replace(/^[\\/]/, ''),
      )
  } catch {
    return []
  }
}

/** The file for a path; for one without a file extension the page itself, which shows what the path says. */
export function fileAt(files: ReadonlyMap<string, PageFile>, path: string): PageFile | undefined {
  return files.get(path) ?? (isFileName(path) ? undefined : files.get('/index.html'))
}

function isFileName(path: string): boolean {
  return path.startsWith('/assets/') || /\.\w{1,5}$/.test(path)
}
