import { type Dirent, existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

export interface Manifest {
  readonly name: string
  readonly version: string
  readonly licence: string | null
  /** Range of `engines.node`. */
  readonly node: string | null
}

export interface PackageFile {
  readonly path: string
  readonly sizeBytes: number
}

const MAX_PACKAGES = 5_000
const MAX_FILES_PER_PACKAGE = 20_000
const MAX_DEPTH = 30

const byName = (a: Dirent, b: Dirent): number => (a.name < b.name ? -1 : 1)
const entries = (folder: string): Dirent[] => readdirSync(folder, { withFileTypes: true }).sort(byName)

/** Folders of all installed packages, those with a scope and those inside other packages among them. */
export function findPackages(root: string): string[] {
  const found: string[] = []
  const waiting = [join(root, 'node_modules')]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const entry of entries(next)) {
      if (!entry.isDirectory() || entry.name.startsWith('.')) continue
      const folder = join(next, entry.name)
      if (entry.name.startsWith('@')) {
        waiting.push(folder)
        continue
      }
      if (found.length >= MAX_PACKAGES) return found
      found.push(folder)
      const inner = join(folder, 'node_modules')
      if (existsSync(inner)) waiting.push(inner)
    }
  }
  return found.sort()
}

/** Files of one package; links are not followed, packages inside it are not its files. */
export function findFiles(folder: string, depth = 0, found: PackageFile[] = []): PackageFile[] {
  for (const entry of entries(folder)) {
    if (found.length >= MAX_FILES_PER_PACKAGE) return found
    const path = join(folder, entry.name)
    if (entry.isFile()) found.push({ path, sizeBytes: statSync(path).size })
    else if (entry.isDirectory() && entry.name !== 'node_modules' && depth < MAX_DEPTH)
      findFiles(path, depth + 1, found)
  }
  return found
}
