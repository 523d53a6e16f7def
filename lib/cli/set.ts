import { userInfo } from 'node:os'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { DEFAULTS } from '../config/defaults.js'
import { durationMs } from '../config/duration.js'
import type { CaptureMode, CaptureOptions, TuneOptions } from '../config/options.js'
import { tuneOptionsFromJson, tuneOptionsToJson } from '../config/tune-json.js'
import { validateTuneDuration, validateTuneOptions } from '../config/validate.js'
import { hostName } from '../queue/process-identity.js'
import { compilePattern } from '../sampling/patterns.js'
import { text } from '../store/queries/filter.js'
import type { TuningRow } from '../store/queries/tunings.js'
import { StoreQueryError } from '../store/read-errors.js'
import { addTuning, clearTunings } from '../store/write-tunings.js'
import { counted } from '../wording/format.js'
import { type CommonOptions, command, duration, storePath, withStore, writeJson } from './options.js'
import { paragraph } from './paragraph.js'
import type { EndWith } from './program.js'
import type { Screen } from './screen.js'
import { renderTable } from './table.js'

interface Options extends CommonOptions {
  readonly sample?: number
  readonly maxPerSecond?: number
  readonly slow?: TuneOptions['slow']
  readonly args?: CaptureMode
  readonly result?: CaptureMode
  readonly for: string
  readonly process?: string
  readonly list?: boolean
  readonly clear?: boolean
}

const MODES: ReadonlyMap<string, CaptureMode> = new Map<string, CaptureMode>([
  ['full', true],
  ['types', 'types'],
  ['off', false],
])
const UNLIMITED = Number.POSITIVE_INFINITY
const DEFAULT_FOR = '10m'

export function setCommand(screen: Screen, endWith: EndWith): Command {
  const target = command(
    'set',
    'changes what running processes record, for a while; they need not be restarted',
    [
      "set 'Orders.*' --sample 1 --args --for 10m",
      "set 'Orders.place' --slow 50ms --process 4711",
      'set --list',
      "set 'Orders.*' --clear",
    ],
  )
    .argument('[pattern]', "functions it holds for, * and ? allowed: 'Orders.*'")
    .option('--sample <share>', 'share of ordinary calls that is recorded, 0 to 1', number)
    .option('--max-per-second <calls>', "most ordinary calls recorded of one function, or 'off'", limit)
    .option('--slow <time>', "calls that take at least this long are always recorded; or 'off'", slow)
    .addOption(captureOption('--args [how]', 'capture of the arguments'))
    .addOption(captureOption('--result [how]', 'capture of the result'))
    .option('--for <time>', 'how long it holds, at most 6h', DEFAULT_FOR)
    .option('--process <name>', 'one process only: its pid, script[pid] or boot id')
    .option('--list', 'instead: what is in force, has expired or was cleared')
    .option('--clear', 'instead: end what is in force for this pattern')
    .addHelpText(
      'after',
      '\nWho may write the recording may do this. What a process changes is among its incidents.',
    )
  return target.action((pattern: string | undefined, options: Options) => {
    if (options.list) return list(options, screen, endWith)
    if (pattern === undefined)
      throw new StoreQueryError("Name the functions: callsight set 'Orders.*' --sample 1.")
    if (options.clear) return clear(pattern, options, screen)
    return change(pattern, options, screen)
  })
}

function change(pattern: string, options: Options, screen: Screen): void {
  const tuned = inOurWords(() => {
    compilePattern(pattern)
    return validateTuneOptions(optionsOf(options))
  })
  if (Object.keys(tuned).length === 0) {
    throw new StoreQueryError(
      'Say what to change: --sample, --max-per-second, --slow, --args or --result. See "callsight set --help".',
    )
  }
  const json = tuneOptionsToJson(tuned)
  const added = addTuning(storePath(options), {
    pattern,
    options: json,
    process: processOf(options),
    forMs: lengthOf(options.for),
    createdBy: whoAmI(),
  })
  const until = new Date(added.expiresUs / 1_000).toISOString()
  if (options.json) {
    const row = {
      id: added.id,
      pattern,
      options: JSON.parse(json) as unknown,
      process: processOf(options),
      until,
      running: added.running,
    }
    writeJson(screen, { rows: [row], coverage: null })
    return
  }
  const who =
    added.running === 0
      ? 'No process is running; one that starts before then takes it over.'
      : `${counted(added.running, 'running process', 'running processes')}: in force within a second or so.`
  screen.write(paragraph(screen, `#${added.id} ${pattern}: ${describe(json)}, until ${until}. ${who}`))
  if (withStore(options, store => store.top({ function: pattern, limit: 1 })).length === 0) {
    const unknown = `No function of this name has been counted yet: see "callsight top" for those that have.`
    screen.write(paragraph(screen, unknown, 'yellow'))
  }
}

function clear(pattern: string, options: Options, screen: Screen): void {
  const cleared = clearTunings(storePath(options), pattern, processOf(options))
  if (cleared === 0) {
    throw new StoreQueryError(
      `Nothing is in force for ${JSON.stringify(pattern)}. See "callsight set --list".`,
    )
  }
  if (options.json) writeJson(screen, { rows: [{ pattern, cleared }], coverage: null })
  else screen.write(paragraph(screen, `${counted(cleared, 'change')} of ${pattern} cleared.`))
}

function list(options: Options, screen: Screen, endWith: EndWith): void {
  withStore(options, store => {
    const rows = store.tunings()
    if (rows.length === 0) endWith(3)
    if (options.json) return writeJson(screen, { rows, coverage: null })
    const table = renderTable<TuningRow>(
      [
        { header: '#', value: row => String(row.id), align: 'right' },
        {
          header: 'FUNCTIONS',
          value: row => row.pattern ?? '(unreadable)',
          style: () => 'bold',
          min: 12,
          max: 60,
        },
        { header: 'CHANGE', value: row => describe(row.options) },
        {
          header: 'STATE',
          value: row => row.state,
          style: row => (row.state === 'in force' ? 'green' : 'dim'),
        },
        { header: 'UNTIL', value: row => row.until ?? '-', style: () => 'dim' },
        { header: 'PROCESS', value: row => row.process ?? 'all' },
        { header: 'BY', value: row => row.created_by },
      ],
      rows,
      screen,
    )
    screen.write(rows.length === 0 ? 'Nothing was changed.\n' : table)
  })
}

function optionsOf({ sample, maxPerSecond, slow: slowFrom, args, result }: Options): TuneOptions {
  const capture: CaptureOptions = {
    ...(args === undefined ? {} : { args }),
    ...(result === undefined ? {} : { result }),
  }
  return {
    ...(sample === undefined ? {} : { sample }),
    ...(maxPerSecond === undefined ? {} : { maxPerSecond }),
    ...(slowFrom === undefined ? {} : { slow: slowFrom }),
    ...(Object.keys(capture).length === 0 ? {} : { capture }),
  }
}

/** `sample 1, args full`; what is none of ours is shown as it stands. */
function describe(json: string | null): string {
  try {
    const { sample, maxPerSecond, slow: slowFrom, capture } = tuneOptionsFromJson(json)
    const said = [
      sample === undefined ? null : `sample ${sample}`,
      maxPerSecond === undefined
        ? null
        : `max per second ${maxPerSecond === UNLIMITED ? 'off' : maxPerSecond}`,
      slowFrom === undefined ? null : `slow ${slowFrom === false ? 'off' : slowFrom}`,
      capture?.args === undefined ? null : `args ${nameOf(capture.args)}`,
      capture?.result === undefined ? null : `result ${nameOf(capture.result)}`,
    ]
    return said.filter(part => part !== null).join(', ')
  } catch {
    return json ?? '(unreadable)'
  }
}

const nameOf = (mode: CaptureMode): string =>
  [...MODES].find(([, value]) => value === mode)?.[0] ?? String(mode)

function captureOption(flags: string, what: string): Option {
  const names = [...MODES.keys()]
  return new Option(flags, what)
    .choices(names)
    .preset('full')
    .argParser(value => {
      const mode = MODES.get(value)
      if (mode === undefined) throw new InvalidArgumentError(`Allowed choices are ${names.join(', ')}.`)
      return mode
    })
}

function number(value: string): number {
  const given = Number(value)
  if (value.trim() === '' || Number.isNaN(given)) throw new InvalidArgumentError('Use a number from 0 to 1.')
  return given
}

function limit(value: string): number {
  if (value === 'off') return UNLIMITED
  if (!/^\d{1,9}$/.test(value)) throw new InvalidArgumentError("Use a whole number, or 'off'.")
  return Number(value)
}

function slow(value: string): TuneOptions['slow'] {
  return value === 'off' ? false : duration(value)
}

/** Longer than the recording reaches back nobody would see what it was good for. */
function lengthOf(value: string): number {
  const forMs = inOurWords(() => durationMs(validateTuneDuration({ for: duration(value) }).for, '--for'))
  if (forMs > DEFAULTS.retentionMs) throw new StoreQueryError(`--for ${value} is too long. Use at most 6h.`)
  return forMs
}

function processOf({ process: name }: Options): string | null {
  return name === undefined ? null : text('process', name)
}

/** The recorder's messages begin with its name, as this program's do. */
function inOurWords<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof Error)) throw error
    throw new StoreQueryError(`${error.message.replace(/^Callsight: /, '')}.`, { cause: error })
  }
}

function whoAmI(): string {
  const uid = process.getuid?.()
  const user = uid === undefined ? userInfo().username : `uid ${uid}`
  return `${user}, pid ${process.pid}, host ${hostName()}`
}
