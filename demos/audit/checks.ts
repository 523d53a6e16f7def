import { createHash } from 'node:crypto'
import { createReadStream, existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { monitor } from 'callsight'
import { satisfies, subset, valid } from 'semver'
import type { Manifest, PackageFile } from './packages.js'

export class ManifestError extends Error {
  override readonly name = 'ManifestError'
}
export class LicenceError extends Error {
  override readonly name = 'LicenceError'
}
export class EngineError extends Error {
  override readonly name = 'EngineError'
}
export class InstallScriptError extends Error {
  override readonly name = 'InstallScriptError'
}
export class FileError extends Error {
  override readonly name = 'FileError'
}

export interface RegistryOptions {
  readonly offline: boolean
  readonly token: string
}

interface LockedPackage {
  readonly version?: string
  readonly integrity?: string
  readonly hasInstallScript?: boolean
}

/** SPDX identifiers that ask for no more than to be named. */
const PERMISSIVE = new Set(
  '0BSD Apache-2.0 BlueOak-1.0.0 BSD-2-Clause BSD-3-Clause CC0-1.0 ISC MIT MIT-0 Python-2.0 Unlicense Zlib'.split(
    ' ',
  ),
)
const SPDX_ID = /^[A-Za-z0-9][A-Za-z0-9.+-]*$/
const LICENCE_FILE = /^(licen[cs]e|copying|unlicense)/i
const JSON_FILE = /\.json$|^\.(eslintrc|nycrc|jshintrc)$/
const SOURCE_FILE = /\.(js|mjs|cjs|ts|mts|cts)$/
const SOURCE_MAP_LINK = /\/\/# sourceMappingURL=(\S+)\s*$/
const MAX_READ_BYTES = 1024 ** 2

/** What is asked of each package. Every method throws what it finds. */
export class Checks {
  readonly #ownEngines: string

  constructor(ownEngines: string) {
    this.#ownEngines = ownEngines
  }

  @monitor({ sample: 0.2 })
  manifest(folder: string): Manifest {
    const parsed: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    const { name, version, license, engines } = parsed as Record<string, unknown>
    if (typeof name !== 'string') throw new ManifestError('the manifest has no name')
    if (typeof version !== 'string' || valid(version) === null) {
      throw new ManifestError(`${name} has no version that semver can read: ${String(version)}`)
    }
    const node = (engines as { node?: unknown } | undefined)?.node
    return {
      name,
      version,
      licence: typeof license === 'string' ? license : null,
      node: typeof node === 'string' ? node : null,
    }
  }

  @monitor({ sample: 0.2 })
  licence({ name, licence }: Manifest, files: readonly PackageFile[]): string {
    if (licence === null) throw new LicenceError(`${name} names no licence`)
    if (!isPermissive(licence)) throw new LicenceError(`${name} asks for more than to be named: ${licence}`)
    const text = files.find(file => LICENCE_FILE.test(basename(file.path)))
    if (text === undefined) throw new LicenceError(`${name} says ${licence} but ships no licence text`)
    return licence
  }

  @monitor({ sample: 0.2 })
  engines({ name, node }: Manifest): string {
    if (node === null) return 'any'
    if (!satisfies(process.version, node)) {
      throw new EngineError(`${name} excludes this Node, ${process.version}: it wants ${node}`)
    }
    if (!subset(this.#ownEngines, node)) {
      throw new EngineError(`${name} wants ${node}; this project promises ${this.#ownEngines}`)
    }
    return node
  }

  /** The hot one: called for every file, recorded for one in fifty. */
  @monitor({ sample: 0.02 })
  file({ path, sizeBytes }: PackageFile): 'read' | 'skipped' {
    const isJson = JSON_FILE.test(basename(path))
    if (sizeBytes > MAX_READ_BYTES || !(isJson || SOURCE_FILE.test(path))) return 'skipped'
    const text = readFileSync(path, 'utf8')
    if (isJson) JSON.parse(text)
    const link = SOURCE_MAP_LINK.exec(text)?.[1]
    if (link !== undefined && !link.startsWith('data:') && !existsSync(join(dirname(path), link))) {
      throw new FileError(`${basename(path)} links to ${link}, which is not in the package`)
    }
    return 'read'
  }

  /** The slow one: no call is sampled, those above 100 ms are recorded all the same. */
  @monitor({ sample: 0, slow: '100ms' })
  async hash(name: string, files: readonly PackageFile[]): Promise<string> {
    const hash = createHash('sha512').update(name)
    for (const file of files) {
      for await (const chunk of createReadStream(file.path)) hash.update(chunk as Buffer)
    }
    return hash.digest('base64')
  }
}

/** Compares packages with what npm wrote down when it installed them. */
export class Registry {
  readonly #root: string
  readonly #locked: Readonly<Record<string, LockedPackage>>

  constructor(root: string) {
    this.#root = root
    const text = readFileSync(join(root, 'node_modules', '.package-lock.json'), 'utf8')
    this.#locked = (JSON.parse(text) as { packages: Record<string, LockedPackage> }).packages
  }

  @monitor({ sample: 0.2 })
  verify({ name, version }: Manifest, folder: string, options: RegistryOptions): string {
    if (!options.offline) throw new Error('this audit works without a network')
    const locked = this.#locked[folder.slice(this.#root.length + 1).replaceAll('\\', '/')]
    if (locked?.version !== version) {
      throw new ManifestError(`${name} is ${version} on disk and ${locked?.version ?? 'absent'} in the lock`)
    }
    if (locked.hasInstallScript)
      throw new InstallScriptError(`${name} ${version} runs a script when installed`)
    return locked.integrity ?? 'none'
  }
}

/** `(MIT OR GPL-3.0)` leaves a choice; `MIT AND MPL-2.0` does not. */
function isPermissive(expression: string): boolean {
  const choices = expression.replaceAll(/[()]/g, ' ').split(/\sOR\s/)
  return choices.some(choice =>
    choice.split(/\sAND\s/).every(id => SPDX_ID.test(id.trim()) && PERMISSIVE.has(id.trim())),
  )
}
