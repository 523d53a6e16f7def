import { cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Ended, type HowToRun, run, runWell } from './process.js'
import { pack, REPOSITORY, readManifest } from './tarball.js'

/** What `"type"` of a project's package.json says. */
export type PackageType = 'module' | 'commonjs' | null

export type Installation =
  | { readonly kind: 'installed'; readonly workspace: ConsumerWorkspace }
  | { readonly kind: 'unreachable'; readonly reason: string }

const TEMPLATES = fileURLToPath(new URL('./consumers', import.meta.url))
/** better-sqlite3 may have to be compiled, on a machine that runs other tests beside it. */
const INSTALL_TIMEOUT_MS = 540_000
/** Developer tools of the projects, in the versions this repository uses. */
const TOOLS = ['typescript', 'tsx', 'reflect-metadata', '@types/node']
const INSTALL_FLAGS = [
  // Were there one more script that a user has to allow, the installation would fail.
  '--strict-allow-scripts',
  '--prefer-offline',
  '--no-audit',
  '--no-fund',
  // Without a network npm would go on for minutes before it says so.
  '--fetch-retries=1',
  '--fetch-retry-mintimeout=500',
]
const NETWORK_FAILURE =
  /\b(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ENOTCACHED|ERR_SOCKET_TIMEOUT)\b/

/** A folder into which the tarball was installed as users do it, and below it any number of projects that share it. */
export class ConsumerWorkspace {
  readonly folder: string
  readonly installed: string

  private constructor(folder: string) {
    this.folder = folder
    this.installed = join(folder, 'node_modules/callsight')
  }

  static async install(folder: string): Promise<Installation> {
    const tarball = await pack(folder)
    const { devDependencies } = readManifest(REPOSITORY)
    writeJson(join(folder, 'package.json'), {
      name: 'consumers',
      private: true,
      dependencies: { callsight: `file:${tarball}` },
      devDependencies: Object.fromEntries(TOOLS.map(name => [name, devDependencies[name]])),
      // npm 12 runs no install script that is not named here; esbuild and fsevents come with tsx and need none.
      allowScripts: { 'better-sqlite3': true, esbuild: false, fsevents: false },
    })
    const ended = await run('npm', ['install', ...INSTALL_FLAGS], {
      cwd: folder,
      timeoutMs: INSTALL_TIMEOUT_MS,
    })
    if (ended.code === 0) return { kind: 'installed', workspace: new ConsumerWorkspace(folder) }
    const failure = NETWORK_FAILURE.exec(ended.stderr)
    if (failure !== null) {
      return { kind: 'unreachable', reason: `npm cannot reach the package registry (${failure[0]})` }
    }
    throw new Error(`npm install ended with ${ended.code}:\n${ended.stdout}${ended.stderr}`)
  }

  /** A new project made of a template; `name` keeps two projects of one template apart. */
  project(template: string, type: PackageType, name = template): Project {
    const folder = join(this.folder, name)
    mkdirSync(folder)
    cpSync(join(TEMPLATES, template), folder, { recursive: true })
    writeJson(join(folder, 'package.json'), { name, private: true, ...(type === null ? {} : { type }) })
    return new Project(folder, join(this.folder, 'node_modules/.bin'))
  }
}

export class Project {
  readonly folder: string
  readonly store: string
  readonly #tools: string

  constructor(folder: string, tools: string) {
    this.folder = folder
    this.store = join(folder, '.callsight/calls.db')
    this.#tools = tools
  }

  node(args: readonly string[], how: Omit<HowToRun, 'cwd'> = {}): Promise<Ended> {
    return run(process.execPath, args, { cwd: this.folder, ...how })
  }

  /** An installed command, started as the executable file it has to be. */
  tool(name: string, args: readonly string[], how: Omit<HowToRun, 'cwd'> = {}): Promise<Ended> {
    return run(join(this.#tools, name), args, { cwd: this.folder, ...how })
  }

  /** `npx callsight …`; never a download when the installed command is not found. */
  callsight(args: readonly string[]): Promise<Ended> {
    return run('npx', ['--no', '--', 'callsight', ...args], { cwd: this.folder })
  }

  compile(args: readonly string[] = []): Promise<Ended> {
    return runWell(join(this.#tools, 'tsc'), ['-p', '.', ...args], { cwd: this.folder })
  }

  /** Names in the project's folder. */
  entries(): string[] {
    return readdirSync(this.folder).sort()
  }
}

function writeJson(path: string, value: unknown): void {
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`)
}
