import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const text = readFileSync(join(root, 'memory-bank/edge-cases-and-limitations.md'), 'utf8')
const SECTIONS = text.split(/^## /m).slice(1)
const items = SECTIONS.flatMap(section => {
  const title = section.split('\n')[0] ?? ''
  const folder = title === 'Values' ? 'tests/serialize' : 'tests/monitor'
  return section
    .split(/^\* /m)
    .slice(1)
    .map(item => ({ title, opening: item.split('\n')[0]?.slice(0, 60) ?? '', item, folder }))
})
/** What a test cannot bring about says so. */
const WITHOUT_TEST = /No test\s|Not pinned by a test/

describe('edge cases and limitations', () => {
  it('has a list to check', () => {
    expect(SECTIONS.length).toBeGreaterThan(6)
    expect(items.length).toBeGreaterThan(50)
  })

  it.each(items)('$title: $opening', ({ item, folder }) => {
    const files = [...item.matchAll(/`([\w./-]+\.test\.ts)`/g)].map(([, file = '']) =>
      file.includes('/') ? file : join(folder, file),
    )
    expect(files.filter(file => !existsSync(join(root, file)))).toEqual([])
    if (!WITHOUT_TEST.test(item)) expect(files).not.toEqual([])
  })
})
