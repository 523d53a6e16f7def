import { existsSync, readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

/** Journals of errors that lie beside a store, the unreadable ones that were set aside among them. */
export function journalsOf(storePath: string): string[] {
  const folder = dirname(storePath)
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter(name => name.startsWith(`${basename(storePath)}.errors-`))
    .map(name => join(folder, name))
}
