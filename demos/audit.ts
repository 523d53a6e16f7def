/**
 * Checks every package installed in `node_modules`: manifest, licence, engines, install scripts, files, hashes.
 * The checks are monitored; what they did is then read back from the recording.
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { configure, monitor, shutdown } from 'callsight'
import { Checks, Registry, type RegistryOptions } from './audit/checks.js'
import { findFiles, findPackages } from './audit/packages.js'
import { report } from './audit/report.js'
import { bytes, count, duration, heading, say } from './print.js'

interface Findings {
  files: number
  sizeBytes: number
  problems: number
}

class Auditor {
  readonly #checks: Checks
  readonly #registry: Registry
  readonly #options: RegistryOptions

  constructor(root: string, engines: string, options: RegistryOptions) {
    this.#checks = new Checks(engines)
    this.#registry = new Registry(root)
    this.#options = options
  }

  @monitor()
  async audit(folder: string): Promise<Findings> {
    const files = findFiles(folder)
    const findings = { files: files.length, sizeBytes: 0, problems: 0 }
    const attempt = (check: () => unknown): void => {
      try {
        check()
      } catch {
        // The recording holds it; the audit goes on.
        findings.problems++
      }
    }
    attempt(() => {
      const manifest = this.#checks.manifest(folder)
      attempt(() => this.#checks.licence(manifest, files))
      attempt(() => this.#checks.engines(manifest))
      attempt(() => this.#registry.verify(manifest, folder, this.#options))
    })
    for (const file of files) {
      findings.sizeBytes += file.sizeBytes
      attempt(() => this.#checks.file(file))
    }
    await this.#checks.hash(relative(join(root, 'node_modules'), folder), files)
    return findings
  }
}

const root = fileURLToPath(new URL('..', import.meta.url)).replace(/[\\/]$/, '')
// A name of its own: what CALLSIGHT_DB names may be a recording that is needed.
const storePath = join(root, '.callsight', 'demo.db')
removeOldRecording(storePath)
configure({ store: { path: storePath } })

const own = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { engines: { node: string } }
// Made up for this run: the report looks for it in every byte of the recording.
const token = randomBytes(20).toString('hex')
const auditor = new Auditor(root, own.engines.node, { offline: true, token })
const total: Findings = { files: 0, sizeBytes: 0, problems: 0 }
const startedMs = performance.now()
for (const folder of findPackages(root)) {
  const { files, sizeBytes, problems } = await auditor.audit(folder)
  total.files += files
  total.sizeBytes += sizeBytes
  total.problems += problems
}
const tookMs = performance.now() - startedMs
const account = await shutdown()

heading('An audit of node_modules')
say(
  `${count(findPackages(root).length)} packages, ${count(total.files)} files, ${bytes(total.sizeBytes)} ` +
    `in ${duration(tookMs)}: ${count(total.problems)} problems.`,
)
report({ root, storePath, token }, account)

function removeOldRecording(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const name = basename(path)
  for (const file of readdirSync(dirname(path))) {
    const isPart = file === name || file.startsWith(`${name}-`) || file.startsWith(`${name}.errors-`)
    if (isPart) rmSync(join(dirname(path), file))
  }
}
