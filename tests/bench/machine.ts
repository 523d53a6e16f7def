import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { cpus, release, totalmem, type } from 'node:os'
import { join } from 'node:path'

/** What a figure depends on beside the code. */
export interface Machine {
  readonly cores: number
  readonly cpu: string
  readonly memoryGiB: number
  readonly system: string
  readonly node: string
  readonly packages: Readonly<Record<string, string>>
  readonly commit: string
}

const PACKAGES = [
  'better-sqlite3',
  'piscina',
  'tinybench',
  '@opentelemetry/sdk-trace-base',
  '@opentelemetry/otlp-transformer',
  'pino',
  'prom-client',
  '@autometrics/autometrics',
] as const

export function describeMachine(tree: string): Machine {
  const processors = cpus()
  return {
    cores: processors.length,
    cpu: processors[0]?.model.trim() ?? 'unknown processor',
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    // Version and patch level would say more of the machine than figures need.
    system: `${type()} ${release().split('.').slice(0, 2).join('.')}`,
    node: process.version,
    packages: Object.fromEntries(
      PACKAGES.map(name => [name, versionOf(tree, name)]).filter(([, version]) => version !== ''),
    ),
    commit: commitOf(tree),
  }
}

function versionOf(tree: string, name: string): string {
  const file = join(tree, 'node_modules', name, 'package.json')
  if (!existsSync(file)) return ''
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

function commitOf(tree: string): string {
  try {
    const git = (...args: string[]): string =>
      execFileSync('git', args, { cwd: tree, stdio: ['ignore', 'pipe', 'ignore'] })
        .toString()
        .trim()
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain') === '' ? '' : ' with changes')
  } catch {
    return 'unknown'
  }
}
