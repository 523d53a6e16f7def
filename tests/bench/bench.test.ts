import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { compare, shippedVersions } from './against.js'
import { parseOptions, UsageError } from './options.js'
import { COLUMNS, comparisonTable, table } from './report.js'
import { type Measured, Rounds, ratioOf } from './rounds.js'
import { median } from './support/statistics.js'

const TREE = fileURLToPath(new URL('../..', import.meta.url))
const measured = (row: string, values: number[], more: Partial<Measured> = {}): Measured => ({
  row,
  group: 'calls',
  unit: 'ns/call',
  values,
  extra: {},
  ...more,
})

describe('the command line', () => {
  it('runs all rows three times, or those whose names are given', () => {
    expect(parseOptions([])).toMatchObject({ parts: [], rounds: 3, json: null, against: null, check: false })
    expect(parseOptions(['bare', 'two clock', '--rounds', '5'])).toMatchObject({
      parts: ['bare', 'two clock'],
      rounds: 5,
    })
    expect(parseOptions(['--json'])).toMatchObject({ json: '-' })
    expect(parseOptions(['--json', 'run.json', '--against', 'HEAD~1'])).toMatchObject({
      json: 'run.json',
      against: 'HEAD~1',
    })
  })

  it.each(
    [
      ['--rounds', '0'],
      ['--rounds', '1.5'],
      ['--rounds'],
      ['--against'],
      ['--json', 'flood'],
      ['--short'],
      ['--check', '--against', 'HEAD'],
      ['--check', 'bare'],
      ['--update'],
      ['--chek'],
    ].map(args => ({ args })),
  )('is wrong with $args', ({ args }) => {
    expect(() => parseOptions(args)).toThrow(UsageError)
  })

  it.each([
    { args: ['--chek'], says: /^unknown option '--chek'.*\n$/ },
    { args: ['no such row'], says: /^no row has "no such row" in its name.*\n$/ },
    { args: ['--against', 'no-such-ref'], says: /^--against no-such-ref: no such commit here\n$/ },
  ])('$args ends with one line and exit code 2', ({ args, says }) => {
    const { status, stdout, stderr } = bench(...args)
    expect(stderr).toMatch(says)
    expect([status, stdout]).toEqual([2, ''])
  })

  it('explains itself, and lists the rows of all programs without running them', () => {
    const help = bench('--help')
    expect([help.status, help.stderr]).toEqual([0, ''])
    expect(help.stdout).toContain('--against <ref>')
    const list = bench('--list')
    expect([list.status, list.stderr]).toEqual([0, ''])
    expect(list.stdout.split('\n')).toEqual(
      expect.arrayContaining(['two clock reads', 'recorded, 2 arguments + result', 'pino, worker transport']),
    )
  })
})

function bench(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ['--import', 'tsx', 'tests/bench/main.ts', ...args], {
    cwd: TREE,
    encoding: 'utf8',
  })
}

describe('figures', () => {
  afterEach(() => vi.unstubAllEnvs())

  it('are medians', () => {
    expect([median([3, 1, 2]), median([4, 1, 2, 3]), median([])]).toEqual([2, 2.5, Number.NaN])
    const rounds = new Rounds({ row: 'r', group: 'g', program: 'rows.ts' })
    for (const value of [3, 1, 2]) rounds.add({ row: 'r', unit: 'ms', value, extra: { p99: value * 10 } })
    expect(rounds.report()).toMatchObject({ values: [3, 1, 2], extra: { p99: 20 } })
    expect(ratioOf(measured('a', [2, 8, 2]), measured('b', [1, 4, 1]))).toBe(2)
  })

  it('of a row that failed once are none', () => {
    const rounds = new Rounds({ row: 'r', group: 'g', program: 'rows.ts' })
    rounds.add({ row: 'r', unit: 'ms', value: 1 })
    rounds.fail('Error: records were dropped')
    expect(rounds.report()).toEqual({ row: 'r', group: 'g', failed: 'Error: records were dropped' })
  })

  it('stand in a table of at most 100 columns, without colours where none are wanted', () => {
    vi.stubEnv('NO_COLOR', '1')
    const long = 'long '.repeat(40)
    const text = table(
      [
        measured('two clock reads', [70, 71, 75]),
        measured(long.trim().slice(0, 60), [123_456_789, 223_456_789], {
          detail: long,
          extra: { p99: 1234.5 },
        }),
        { row: 'absent', group: 'calls', skipped: long },
        { row: 'broken', group: 'more', failed: long },
      ],
      3,
    )
    expect(Math.max(...text.split('\n').map(line => line.length))).toBeLessThanOrEqual(COLUMNS)
    expect(stripVTControlCharacters(text)).toBe(text)
    expect(text).toMatch(/^two clock reads +71 ns +70 … 75 +1\.00$/m)
    expect(text).toMatch(/FAILED: long/)
  })
})

describe('a comparison with another commit', () => {
  it('marks what lies beyond the noise of both trees', () => {
    expect(compare(measured('a', [10, 11, 10, 10]), measured('a', [8, 8, 9, 8]))).toMatchObject({
      ratio: 0.8,
      beyondNoise: true,
    })
    expect(compare(measured('a', [10, 11, 10, 10]), measured('a', [8, 8, 10.5, 8]))).toMatchObject({
      beyondNoise: false,
    })
    expect(compare(measured('a', [100, 100, 100, 100]), measured('a', [102, 102, 102, 102]))).toMatchObject({
      beyondNoise: false,
    })
  })

  it('marks nothing that two runs of each tree say', () => {
    expect(compare(measured('a', [10, 11]), measured('a', [1, 2]))).toMatchObject({ beyondNoise: false })
  })

  it('leaves out what the old tree cannot run, and fails for what this one cannot', () => {
    const failed = { row: 'a', group: 'calls', failed: 'TypeError: tune is not a function' }
    expect(compare(failed, measured('a', [1]))).toEqual({ kind: 'skipped', why: `before: ${failed.failed}` })
    expect(compare(measured('a', [1]), failed)).toEqual({ kind: 'failed', why: `after: ${failed.failed}` })
  })

  it('fits into 100 columns', () => {
    vi.stubEnv('NO_COLOR', '1')
    const outcome = compare(measured('a', [1e8, 2e8]), measured('a', [3e8, 4e8]))
    const row = 'recorded, string + object, object result'
    const text = comparisonTable([{ row, outcome }], 'HEAD~1', 3)
    expect(Math.max(...text.split('\n').map(line => line.length))).toBeLessThanOrEqual(COLUMNS)
    vi.unstubAllEnvs()
  })

  it('shares the installed packages when both trees ship with the same ones', () => {
    const lock = (sqlite: string, tool: string): string =>
      JSON.stringify({
        packages: {
          '': { version: sqlite },
          'node_modules/better-sqlite3': { version: sqlite },
          'node_modules/vitest': { version: tool, dev: true },
        },
      })
    expect(shippedVersions(lock('12.1.0', '4.0.0'))).toBe(shippedVersions(lock('12.1.0', '4.1.0')))
    expect(shippedVersions(lock('12.1.0', '4.0.0'))).not.toBe(shippedVersions(lock('13.0.0', '4.0.0')))
  })
})
