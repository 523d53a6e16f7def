import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Dialect, Place } from './fixtures.js'

const DIALECTS: readonly Dialect[] = ['standard', 'legacy']

describe.each(DIALECTS)('an app that monitors what the recorder works with (%s)', dialect => {
  const place = new Place()
  let said: {
    readonly state: string
    readonly balanced: boolean
    readonly calls: object
    readonly errors: object
  }
  beforeAll(async () => {
    said = await place.json(dialect, 'semantics-own-tools')
  })
  afterAll(() => place.dispose())

  it('the recorder is well, and everything adds up', () => {
    expect(said).toMatchObject({ state: 'recording', balanced: true, errors: { produced: 6, dropped: {} } })
  })

  it('only the calls of the app are recorded, not those of the recorder', () => {
    const counts = place.rows<{ function: string; count: number }>(
      'SELECT function, count(*) AS count FROM recent_calls GROUP BY function ORDER BY function',
    )
    expect(counts).toEqual([
      { function: 'fs.existsSync', count: 1 },
      { function: 'inner', count: 3 },
      { function: 'outer', count: 3 },
      { function: 'stringify', count: 1 },
    ])
  })

  it('the frames of the wrappers are not in the recorded stacks', () => {
    const stacks = place.rows<{ stack: string }>('SELECT stack FROM recent_errors').map(({ stack }) => stack)
    expect(stacks).toHaveLength(6)
    for (const stack of stacks) {
      expect(stack).toContain('semantics-own-tools.js')
      expect(stack).not.toContain('function-wrapper')
    }
  })
})
