/**
 * What a start costs: each row runs small programs by plain `node` on `dist`, as a user's program runs, and takes the
 * median. Without an argument it prints its rows as a JSON array; with the name of one, one line of JSON.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { median } from './support/statistics.js'

const RUNS = 7
const root = fileURLToPath(new URL('../..', import.meta.url))
const library = pathToFileURL(join(root, 'dist/index.js')).href
const commandLine = join(root, 'dist/cli/main.js')
const GROUP = 'start-up'

interface Figures {
  readonly unit: 'ms' | 'bytes'
  readonly value: number
  readonly detail?: string
  readonly extra?: Readonly<Record<string, number>>
}
type Outcome = Figures | { readonly skipped: string }

const folder = mkdtempSync(join(tmpdir(), 'callsight-start-up-'))

function node(args: readonly string[], env: NodeJS.ProcessEnv = {}): string {
  return execFileSync(process.execPath, args, {
    cwd: folder,
    // Not the loaders of this program, and a store of its own for each.
    env: { ...process.env, NODE_OPTIONS: '', CALLSIGHT: '', CALLSIGHT_DB: newStore(), ...env },
    encoding: 'utf8',
  })
}

let stores = 0
function newStore(): string {
  const place = join(folder, `store-${++stores}`)
  mkdirSync(place)
  return join(place, 'calls.db')
}

/** Runs a program that prints its figure, after a first run that fills the caches of the system. */
function printed(program: string, env?: NodeJS.ProcessEnv): number {
  const file = join(folder, 'program.mjs')
  writeFileSync(file, program)
  const figure = (): number => Number(node([file], env))
  figure()
  return median(Array.from({ length: RUNS }, figure))
}

const timed = (code: string): string =>
  `const began = performance.now()\n${code}\nprocess.stdout.write(String(performance.now() - began))\n`

const IMPORT = `const { monitor } = await import(${JSON.stringify(library)})`
const RECORD = 'monitor(function first() {})()'

function ms(code: string, env?: NodeJS.ProcessEnv): Figures {
  return { unit: 'ms', value: printed(timed(code), env) }
}

/** What another tool costs to load; where it is not installed, nothing is measured. */
function importOf(...names: readonly string[]): () => Outcome {
  return () => {
    const require = createRequire(import.meta.url)
    const urls: string[] = []
    for (const name of names) {
      try {
        urls.push(pathToFileURL(require.resolve(name)).href)
      } catch {
        return { skipped: `${name} is not installed` }
      }
    }
    return ms(urls.map(url => `await import(${JSON.stringify(url)})`).join('\n'))
  }
}

/** The whole process, less an empty one that starts beside it. */
function commandMs(args: readonly string[], env?: NodeJS.ProcessEnv): Figures {
  const empty = join(folder, 'empty.mjs')
  writeFileSync(empty, '')
  const elapsed = (what: readonly string[]): number => {
    const began = performance.now()
    node(what, env)
    return performance.now() - began
  }
  const pairs = Array.from(
    { length: RUNS },
    () => [elapsed([empty]), elapsed([commandLine, ...args])] as const,
  )
  const alone = median(pairs.map(([bare]) => bare))
  const value = median(pairs.map(([bare, command]) => command - bare))
  return { unit: 'ms', value, detail: 'beyond an empty program', extra: { emptyProgramMs: alone } }
}

/** What a recorder that has stored one record and rests adds to an empty program, by what `measured` reads. */
function added(measured: string): Figures {
  const rest = `await new Promise(resolve => setTimeout(resolve, 300))\nglobalThis.gc()\n`
  const print = `process.stdout.write(String(process.memoryUsage().${measured}))\n`
  const flags = `import v8 from 'node:v8'\nimport vm from 'node:vm'\nv8.setFlagsFromString('--expose-gc')\nglobalThis.gc = vm.runInNewContext('gc')\n`
  const bare = printed(flags + rest + print)
  const recording = printed(
    `${flags}const { monitor, flush } = await import(${JSON.stringify(library)})\n${RECORD}\nawait flush()\n${rest}${print}`,
  )
  return { unit: 'bytes', value: recording - bare, extra: { emptyProgramBytes: bare } }
}

function storedErrors(): NodeJS.ProcessEnv {
  const env = { CALLSIGHT_DB: newStore() }
  const file = join(folder, 'failing.mjs')
  writeFileSync(file, `${IMPORT}\ntry { monitor(function fails() { throw new Error('no') })() } catch {}\n`)
  node([file], env)
  return env
}

const ROWS: Readonly<Record<string, () => Outcome>> = {
  import: () => ms(IMPORT),
  'import and first record': () => ms(`${IMPORT}\n${RECORD}`),
  'import, switched off': () => ms(IMPORT, { CALLSIGHT: 'off' }),
  'import and first call, switched off': () => ms(`${IMPORT}\n${RECORD}`, { CALLSIGHT: 'off' }),
  'import of OpenTelemetry sdk-trace': importOf('@opentelemetry/api', '@opentelemetry/sdk-trace-base'),
  'import of pino': importOf('pino'),
  'import of prom-client': importOf('prom-client'),
  'callsight --help': () => commandMs(['--help']),
  'callsight errors, one stored': () => commandMs(['errors'], storedErrors()),
  'idle recorder: memory added': () => added('rss'),
  'idle recorder: heap added': () => added('heapUsed'),
}

const wanted = process.argv[2]
try {
  const measure = wanted === undefined ? undefined : ROWS[wanted]
  if (measure === undefined) {
    process.stdout.write(`${JSON.stringify(Object.keys(ROWS).map(row => ({ row, group: GROUP })))}\n`)
  } else {
    process.stdout.write(`${JSON.stringify({ row: wanted, ...measure() })}\n`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
