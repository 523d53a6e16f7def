import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { imbalances, readStore } from '../support/store-account.js'
import { ConsumerWorkspace, type Installation, type PackageType, type Project } from './consumer-workspace.js'
import type { Ended } from './process.js'
import { filesIn, readManifest } from './tarball.js'

interface Variant {
  readonly title: string
  readonly template: string
  readonly type: PackageType
  /** Builds the project, if it has to be built, and runs its program. */
  readonly start: (project: Project) => Promise<Ended>
}

const VARIANTS: readonly Variant[] = [
  {
    title: 'TypeScript with standard decorators, compiled by tsc',
    template: 'standard',
    type: 'module',
    start: async project => {
      await project.compile()
      return project.node(['built/app.js'])
    },
  },
  {
    title: 'TypeScript with experimentalDecorators, emitDecoratorMetadata and reflect-metadata',
    template: 'legacy',
    type: 'module',
    start: async project => {
      await project.compile()
      return project.node(['built/app.js'])
    },
  },
  {
    title: 'TypeScript run by tsx, without a tsconfig',
    template: 'tsx',
    type: 'module',
    start: project => project.tool('tsx', ['app.ts']),
  },
  {
    title: 'JavaScript, ES modules',
    template: 'esm',
    type: 'module',
    start: project => project.node(['app.js']),
  },
  {
    title: 'JavaScript, CommonJS',
    template: 'commonjs',
    type: 'commonjs',
    start: project => project.node(['app.js']),
  },
  {
    title: 'JavaScript in a package without a type',
    template: 'untyped',
    type: null,
    // Node's own advice to write down a type is not ours.
    start: project => project.node(['--disable-warning=MODULE_TYPELESS_PACKAGE_JSON', 'app.js']),
  },
]

/** What every variant of the program prints: what came back from its calls. */
const SEEN = '["2 tea","order 1","RangeError: no such order: 7",4,"TypeError: odd: 3"]\n'
const SECRET = 'hunter2'
const ORDER = { item: 'tea', quantity: 2, password: '[redacted]' }

interface StoredCall {
  readonly function: string
  readonly outcome: string
  readonly args: unknown
  readonly result: unknown
}

/** TypeScript's own library and the types of Node, which bring two more. */
const OF_THE_COMPILER = /^(?:typescript|@typescript\/.*|@types\/node|undici-types|buffer)$/
/** Goes on until Node has printed a warning. */
const RUN_UNTIL_WARNED = `
  const alive = setInterval(() => {}, 1_000)
  process.once('warning', () => clearInterval(alive))
  await import('./app.js')
`
/** Goes on until the journals that were there at the start are gone. */
const RUN_UNTIL_REPLAYED = `
  const { readdirSync } = await import('node:fs')
  const journals = () => readdirSync('.callsight').filter(name => name.includes('.errors-'))
  const leftOver = journals()
  await import('./app.js')
  while (journals().some(name => leftOver.includes(name))) await new Promise(go => setTimeout(go, 10))
`
const INSTALL_TIMEOUT_MS = 600_000

describe('a project that installs the package', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'callsight-consumers-'))
  let installation: Installation

  beforeAll(async () => {
    installation = await ConsumerWorkspace.install(scratch)
  }, INSTALL_TIMEOUT_MS)
  beforeEach(({ skip }) => {
    if (installation.kind === 'unreachable') skip(installation.reason)
  })
  afterAll(() => rmSync(scratch, { recursive: true, force: true }))

  const workspace = (): ConsumerWorkspace => {
    if (installation.kind === 'unreachable') throw new Error(installation.reason)
    return installation.workspace
  }

  it.each(VARIANTS)('records calls and errors: $title', async ({ template, type, start }) => {
    const project = workspace().project(template, type)
    expectQuiet(await start(project))

    expect(storedCalls(project)).toEqual([
      { function: 'Orders.label', outcome: 'ok', args: [1], result: 'order 1' },
      {
        function: 'Orders.place',
        outcome: 'ok',
        // Only there the order is an instance of a class.
        args: [template === 'legacy' ? { '@class': 'Order', ...ORDER } : ORDER],
        result: '2 tea',
      },
      { function: 'Orders.ship', outcome: 'error', args: [7], result: null },
      { function: 'Orders.ship', outcome: 'ok', args: [1], result: 'order 1' },
      { function: 'half', outcome: 'error', args: [3], result: null },
      { function: 'half', outcome: 'ok', args: [8], result: 4 },
    ])
    const account = readStore(project.store)
    expect(account.lanes).toHaveLength(2)
    expect(imbalances(account)).toEqual([0, 0])
    expect(account.integrity).toBe('ok')

    const printed = await project.callsight(['errors', '--list', '--json'])
    expect(printed.code).toBe(0)
    const { rows } = JSON.parse(printed.stdout) as { rows: Readonly<Record<string, unknown>>[] }
    expect(rows.map(row => [row['function'], row['error'], row['message'], row['args']])).toEqual([
      ['half', 'TypeError', 'odd: 3', '[3]'],
      ['Orders.ship', 'RangeError', 'no such order: 7', '[7]'],
    ])
  })

  it('finds its records in .callsight, private, out of git and without secrets', async () => {
    const project = workspace().project('esm', 'module', 'zero-configuration')
    // The widest umask there is: the modes must not depend on it.
    const umask = 'process.umask(0); await import("./app.js")'
    expectQuiet(await project.node(['--input-type=module', '-e', umask]))

    const folder = join(project.folder, '.callsight')
    const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8)
    expect(project.entries()).toEqual(['.callsight', 'app.js', 'idle.js', 'package.json', 'read.js'])
    // The reserve for a full disk is made a moment later; this program may have ended by then.
    const reserve = `${project.store}.reserve`
    expect(filesIn(folder).filter(name => !reserve.endsWith(name))).toEqual(['.gitignore', 'calls.db'])
    expect(mode(folder)).toBe('700')
    expect(mode(project.store)).toBe('600')
    if (existsSync(reserve)) expect(mode(reserve)).toBe('600')
    expect(readFileSync(join(folder, '.gitignore'), 'utf8')).toBe('*\n')
    expect(readFileSync(project.store).includes(SECRET)).toBe(false)
  })

  it('reads its own records by openStore()', async () => {
    const project = workspace().project('esm', 'module', 'reading')
    expectQuiet(await project.node(['app.js']))
    const read = await project.node(['read.js'])
    expect(read.stdout).toBe('["odd: 3","no such order: 7"]\n')
  })

  it('gets nothing on disk by importing and wrapping alone', async () => {
    const project = workspace().project('esm', 'module', 'idle')
    const before = project.entries()
    const ended = await project.node(['idle.js'])
    expect(ended).toEqual({ code: 0, stdout: 'idle\n', stderr: '' })
    expect(project.entries()).toEqual(before)
  })

  it('gets nothing on disk with CALLSIGHT=off, and the same results', async () => {
    const project = workspace().project('esm', 'module', 'off')
    const before = project.entries()
    expectQuiet(await project.node(['app.js'], { env: { CALLSIGHT: 'off' } }))
    expect(project.entries()).toEqual(before)
  })

  it('compiles against the public types without skipLibCheck', async () => {
    const project = workspace().project('types', 'module')
    const listed = await project.compile(['--listFiles'])
    const packages = [...listed.stdout.matchAll(/\/node_modules\/((?:@[^/\n]+\/)?[^/\n]+)\/[^\n]*\.d\.ts$/gm)]
    const foreign = new Set(packages.map(match => match[1]!).filter(name => !OF_THE_COMPILER.test(name)))
    // Nothing else a user would have to install for our sake.
    expect([...foreign]).toEqual(['callsight'])
  })

  it('can start the command line as an executable file', async () => {
    const project = workspace().project('esm', 'module', 'command-line')
    const { version } = readManifest(workspace().installed)
    expect(await project.tool('callsight', ['--version'])).toEqual({
      code: 0,
      stdout: `${version}\n`,
      stderr: '',
    })
    const missing = await project.callsight(['errors'])
    expect(missing.code).toBe(2)
    expect(project.entries()).not.toContain('.callsight')
  })

  it('runs on and keeps its records in the journal when npm did not build the native binding', async () => {
    const project = workspace().project('esm', 'module', 'without-binding')
    const driver = join(workspace().folder, 'node_modules/better-sqlite3')
    const bindings = filesIn(driver).filter(file => file.endsWith('.node'))
    expect(bindings).not.toEqual([])
    const move = (from: string, to: string): void => {
      for (const file of bindings) renameSync(join(driver, file + from), join(driver, file + to))
    }
    move('', '.away')
    try {
      const short = await project.node(['app.js'])
      expect({ code: short.code, stdout: short.stdout }).toEqual({ code: 0, stdout: SEEN })

      const long = await project.node(['--input-type=module', '-e', RUN_UNTIL_WARNED])
      expect({ code: long.code, stdout: long.stdout }).toEqual({ code: 0, stdout: SEEN })
      expect(long.stderr.match(/^\(node:\d+\) \[/gm)).toHaveLength(1)
      expect(long.stderr).toContain('npm rebuild better-sqlite3')

      const doctor = await project.callsight(['doctor'])
      expect(doctor.code).toBe(1)
      expect(doctor.stdout).toMatch(/^fail +binding/m)
    } finally {
      move('.away', '')
    }
    // The first healthy start takes over what the journals kept.
    expectQuiet(await project.node(['--input-type=module', '-e', RUN_UNTIL_REPLAYED]))
    expect(storedCalls(project)).toHaveLength(3 * 6)
    expect(imbalances(readStore(project.store))).toEqual([0, 0, 0, 0, 0, 0])
  })
})

/** The program did its work, ended by itself, and nobody talked into its output. */
function expectQuiet(ended: Ended): void {
  expect(ended).toEqual({ code: 0, stdout: SEEN, stderr: '' })
}

function storedCalls(project: Project): StoredCall[] {
  const db = new Database(project.store, { readonly: true, fileMustExist: true })
  try {
    const text = 'SELECT function, outcome, args, result FROM recent_calls ORDER BY function, outcome, at'
    const parsed = (json: unknown): unknown => JSON.parse(json === null ? 'null' : String(json))
    return (db.prepare(text).all() as StoredCall[]).map(row => ({
      ...row,
      args: parsed(row.args),
      result: parsed(row.result),
    }))
  } finally {
    db.close()
  }
}
