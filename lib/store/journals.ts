import { readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

/** Journals of errors that lie beside a store, the unreadable ones that were set aside among them. */
export function journalsOf(storePath: string): string[] {
  const folder = dirname(storePath)
  return namesIn(folder)
    .filter(name => name.startsWith(`${basename(storePath)}.errors-`))
    .map(name => join(folder, name))
}

/** None where there is no folder, or one that may not be looked into. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
