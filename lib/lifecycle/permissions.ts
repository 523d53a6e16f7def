import { dirname, join } from 'node:path'
import { journalPath } from '../queue/journal-format.js'

interface PermissionModel {
  has(scope: string, reference?: string): boolean
}

/**
 * What Node's permission model would have to allow for recording, as flags of `node`; none when it is not in force.
 *
 * SQLite opens its file by itself, which the model neither sees nor stops: where the app may not write, the recorder
 * must not either, so it asks.
 */
export function missingPermissions(storePath: string): string[] {
  const { permission } = process as { readonly permission?: PermissionModel }
  if (permission === undefined) return []
  const journal = journalPath(storePath, '0'.repeat(16), 0, 1)
  const mayUse = (scope: string): boolean =>
    [storePath, journal, dirname(storePath)].every(path => permission.has(scope, path))
  const everythingInFolder = join(dirname(storePath), '*')
  return [
    ...(permission.has('worker') ? [] : ['--allow-worker']),
    ...(mayLoadAddons() ? [] : ['--allow-addons']),
    ...(mayUse('fs.read') ? [] : [`--allow-fs-read=${everythingInFolder}`]),
    ...(mayUse('fs.write') ? [] : [`--allow-fs-write=${everythingInFolder}`]),
  ]
}

/** Node 20 cannot be asked, but says why it refuses. */
function mayLoadAddons(): boolean {
  try {
    process.dlopen({ exports: {} }, join(import.meta.dirname, 'no-such-addon.node'))
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ERR_DLOPEN_DISABLED'
  }
  return true
}
