import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { PROTECTIONS } from '../chaos/protections.js'
import { REPORT, sectionsOf } from '../chaos/report.js'
import { ROWS } from '../chaos/rows.js'
import { filesOfRow, filesWith, ROOT } from '../chaos/run-tests.js'

const sections = sectionsOf(readFileSync(REPORT, 'utf8'))
const cellsOf = (name: string): string[][] =>
  (sections.get(name) ?? '')
    .split('\n')
    .filter(line => line.startsWith('| '))
    .slice(2)
    .map(line => line.slice(2, -2).split(' | '))

describe('memory-bank/reliability.md', () => {
  it('has every section, each with the date and the machine of its run', () => {
    expect([...sections.keys()]).toEqual(['Fault matrix', 'Soak', 'Exit delay', 'Protective measures'])
    for (const text of sections.values()) expect(text).toMatch(/^\d{4}-\d{2}-\d{2}, \d+ × .*GiB.*Node \d+\./)
  })

  it('has every row of the matrix once, in order, and none that failed', () => {
    const cells = cellsOf('Fault matrix')
    expect(cells.map(([row, fault]) => [Number(row), fault])).toEqual(
      ROWS.map(({ row, fault }) => [row, fault]),
    )
    expect(cells.filter(row => row.at(-1)?.startsWith('failed'))).toEqual([])
  })

  it.each(cellsOf('Fault matrix').filter(row => !row.at(-1)?.startsWith('missing')))(
    'row %s, %s, has tests',
    row => {
      expect(filesOfRow(Number(row))).not.toEqual([])
    },
  )

  it('tells of every protective measure which test misses it', () => {
    const cells = cellsOf('Protective measures')
    expect(cells.map(([name]) => name)).toEqual(PROTECTIONS.map(({ name }) => name))
    for (const [, , found] of cells) expect(found).toMatch(/^`[\w.-]+\.test\.ts` fails: /)
  })
})

describe('npm run chaos', () => {
  it('knows the full value of every count that a test reads from the environment', () => {
    const known = new Set(ROWS.flatMap(({ full }) => Object.keys(full ?? {})))
    const read = filesWith(/\(\s*['`]row \d+:/).flatMap(file =>
      [
        ...readFileSync(join(ROOT, file), 'utf8').matchAll(/env(?:\['|\(')(CALLSIGHT_\w+)'(?:\] \?\?|, \d)/g),
      ].map(([, name = '']) => name),
    )
    expect(read.length).toBeGreaterThan(5)
    expect([...new Set(read)].filter(name => !known.has(name) && name !== 'CALLSIGHT_SEED')).toEqual([])
  })

  it.each(PROTECTIONS.map(protection => [protection.name, protection] as const))(
    'can take away: %s',
    (_, { edits, file }) => {
      for (const edit of edits) {
        expect(readFileSync(join(ROOT, edit.in), 'utf8').split(edit.text)).toHaveLength(2)
      }
      expect(existsSync(join(ROOT, file))).toBe(true)
    },
  )

  it('has a row for every test that names one', () => {
    const pattern = /\(\s*['`]row (\d+):/g
    const named = filesWith(new RegExp(pattern)).flatMap(file =>
      [...readFileSync(join(ROOT, file), 'utf8').matchAll(pattern)].map(([, row]) => Number(row)),
    )
    expect(named.length).toBeGreaterThan(15)
    expect(named.filter(number => !ROWS.some(({ row }) => row === number))).toEqual([])
  })
})
