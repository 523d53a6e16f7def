import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runWell } from './process.js'

export const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url))

export interface Manifest {
  readonly version: string
  readonly main: string
  readonly types: string
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>
  readonly bin: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}

export function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
}

interface PackReport {
  readonly filename: string
  readonly files: readonly { readonly path: string }[]
}

/** Packs what `npm publish` would send, and returns the path of the tarball. */
export async function pack(into: string): Promise<string> {
  // Without scripts: prepack would empty dist while other tests run from it. `npm test` has built it.
  const how = ['pack', '--ignore-scripts', '--json', '--pack-destination', into]
  const { stdout } = await runWell('npm', how, { cwd: REPOSITORY })
  const [packed] = JSON.parse(stdout) as readonly [PackReport]
  if (!packed.files.some(({ path }) => path === 'dist/index.js')) {
    throw new Error('there is no dist to pack: run "npm run build"')
  }
  return join(into, packed.filename)
}

/** Unpacks a tarball and returns the folder of the package. */
export async function unpack(tarball: string, into: string): Promise<string> {
  mkdirSync(into, { recursive: true })
  await runWell('tar', ['-xzf', tarball, '-C', into], { cwd: into })
  return join(into, 'package')
}

/** Every file below a folder, as paths relative to it. */
export function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => !entry.isDirectory())
    .map(entry => relative(folder, join(entry.parentPath, entry.name)))
    .sort()
}
