import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { DEFAULTS } from '../../lib/config/defaults.js'
import { durationMs } from '../../lib/config/duration.js'
import type { Duration } from '../../lib/config/options.js'
import { DROP_REASONS } from '../../lib/queue/layout.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const lib = join(root, 'lib')
const sources = readdirSync(lib, { recursive: true, encoding: 'utf8' })
  .filter(file => file.endsWith('.ts'))
  .map(file => readFileSync(join(lib, file), 'utf8'))

/** First cells of the table with this head, without their backquotes; or those of another column. */
function column(head: string, index = 0): string[] {
  const [, below] = readme.split(`\n${head}\n`)
  if (below === undefined) throw new Error(`the README has no table with the head ${head}`)
  const [rows = ''] = below.split('\n\n')
  return rows
    .split('\n')
    .slice(1)
    .map(row => row.split(' | ')[index]?.replace(/^\| |`/g, '') ?? '')
}

const matches = (pattern: RegExp): string[] =>
  sources.flatMap(text => [...text.matchAll(pattern)].map(([, code = '']) => code))

describe('warnings in the README', () => {
  const warnings = new Set(matches(/(?:(?:warn|cannotRecord)\(\s*|code: )'(CALLSIGHT_\w+)'/gi))

  it('are those that the code gives', () => {
    expect(warnings.size).toBeGreaterThan(10)
    expect(column('| code | meaning | what to do |').sort()).toEqual([...warnings].sort())
  })

  it('leave out no code: every other one is of an error class, of an answer of the dashboard, or a variable', () => {
    const errors = matches(/(?:readonly code = |^ {2}\| )'(CALLSIGHT_\w+)'/gm)
    const answers = matches(/(?:failure|refused)\(\s*\d{3},\s*'(CALLSIGHT_\w+)'/g)
    const variables = ['CALLSIGHT_DB', 'CALLSIGHT_SAMPLE']
    const known = new Set([...warnings, ...errors, ...answers, ...variables])
    expect(errors.filter(code => warnings.has(code))).toEqual(
      errors.filter(code => code === 'CALLSIGHT_WAL_PINNED'),
    )
    expect(matches(/'(CALLSIGHT_\w+)'/g).filter(code => !known.has(code))).toEqual([])
  })
})

describe('reasons of losses in the README', () => {
  it('are those of the file format', () => {
    expect(column('| reason | what happened |').sort()).toEqual([...DROP_REASONS].sort())
  })
})

describe('options in the README', () => {
  const { breaker } = DEFAULTS
  const MIB = 1024 ** 2
  const defaults: Readonly<Record<string, string | number | boolean>> = {
    'store.path': DEFAULTS.storePath,
    'store.retention': DEFAULTS.retentionMs,
    'store.maxBytes': DEFAULTS.maxBytes,
    'store.sweepInterval': DEFAULTS.sweepIntervalMs,
    'writer.drainIntervalMs': DEFAULTS.drainIntervalMs,
    'writer.ringBytes': DEFAULTS.ringBytes,
    'writer.exitTimeoutMs': DEFAULTS.exitTimeoutMs,
    'breaker.failureThreshold': breaker.failureThreshold,
    'breaker.resetTimeoutMs': breaker.resetTimeoutMs,
    'breaker.successThreshold': breaker.successThreshold,
    'stalls.threshold': DEFAULTS.stallThresholdMs,
    'errors.fullPerSecond': DEFAULTS.fullErrorsPerSecond,
    signals: DEFAULTS.signals,
  }
  /** As the table writes it: a number, an amount of memory, a time, or the value itself. */
  function read(text: string): string | number | boolean {
    const [number = '', unit = ''] = text.split(' ')
    if (unit === 'GiB') return Number(number) * 1024 * MIB
    if (unit === 'MiB') return Number(number) * MIB
    if (text === 'true') return true
    if (/^[\d,]+$/.test(text)) return Number(text.replace(/,/g, ''))
    return /^\d/.test(text) ? durationMs(text as Duration) : text
  }

  it('have the defaults of the code', () => {
    const head = '| option | default | |'
    const values = column(head, 1).map(read)
    expect(Object.fromEntries(column(head).map((option, i) => [option, values[i]]))).toEqual(defaults)
  })

  it('leave out no group', () => {
    const text = readFileSync(join(lib, 'config/options.ts'), 'utf8')
    const [, body = ''] =
      /export interface CallsightOptions extends TuneOptions \{\n([\s\S]*?)^\}/m.exec(text) ?? []
    const names = [...body.matchAll(/^ {2}readonly (\w+)\?/gm)].map(([, name = '']) => name)
    expect(names.length).toBeGreaterThan(7)
    const [, configuration = ''] = readme.split('\n## Configuration\n')
    const [section = ''] = configuration.split('\n## ')
    expect(names.filter(name => !section.includes(`\`${name}`))).toEqual([])
  })
})
