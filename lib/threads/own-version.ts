import { createRequire } from 'node:module'

/** Version of this package. */
export function ownVersion(): string {
  const manifest = createRequire(import.meta.url)('../../package.json') as { version: string }
  return manifest.version
}
