import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Ended, Place } from './fixtures.js'

const place = new Place()
afterAll(() => place.dispose())

/** Frames differ by ours, and a promise is the derived one; everything else the user reads must be the same. */
const readable = ({ code, stdout, stderr }: Ended): Ended => ({
  code,
  stdout,
  stderr: stderr
    .split('\n')
    .filter(line => !/^\s+at /.test(line))
    .join('\n'),
})

const UNREAD = 'a thrown error whose stack nobody has read is not caught'
const SCENARIOS = [
  ['a thrown error is not caught', 1],
  ['a thrown string is not caught', 1],
  ['a thrown undefined is not caught', 1],
  ['a thrown error reaches uncaughtException', 0],
  ['a rejection is not handled', 1],
  ['a rejection with a string is not handled', 1],
  ['a rejection with undefined is not handled', 1],
  ['a promise that is rejected already is not handled', 1],
  ['a rejected promise of a subclass is not handled', 1],
  ['a rejection only passes through finally', 1],
  ['an unhandled rejection is announced once, with its promise', 0],
  ['a rejection is handled at once', 0],
  ['a rejection is handled by await', 0],
  ['a rejection is handled late', 0],
  ['a rejection would be handled too late', 1],
  ['two rejections in Promise.all, one catch', 0],
  ['a rejection that loses a race', 0],
  ['an error in a generator is not caught', 1],
  ['an error in a generator is caught', 0],
  ['an error in an async generator is not handled', 1],
  ['an error in an async generator is handled', 0],
  ['process.exit inside a call', 9],
  ['an exit code set inside a call', 3],
] as const

describe('a failure leaves a monitored function as it leaves the bare one: exit code, output, messages', () => {
  let known: string[] = []
  beforeAll(async () => {
    known = await place.json<string[]>('standard', 'semantics-rejection', ['bare', 'list'])
  })

  it('every scenario of the program is in the table', () => {
    expect(known.filter(name => name !== UNREAD)).toEqual(SCENARIOS.map(([name]) => name))
  })

  it('the one difference: the excerpt of source above an uncaught error, as after any reading of its stack', async () => {
    const excerpt = /^.*semantics-rejection\.js:\d+\nconst failure = .*\n +\^\n/
    const bare = readable(await place.run('standard', 'semantics-rejection', ['bare', UNREAD]))
    const monitored = readable(await place.run('standard', 'semantics-rejection', ['monitored', UNREAD]))
    expect(bare.stderr).toMatch(excerpt)
    const fromError = (text: string): string => text.slice(text.indexOf('Error: the failure'))
    expect(fromError(monitored.stderr)).toBe(fromError(bare.stderr))
    expect(monitored.code).toBe(bare.code)
  })

  it.each(SCENARIOS)('%s', async (scenario, code) => {
    const bare = await place.run('standard', 'semantics-rejection', ['bare', scenario])
    const monitored = await place.run('standard', 'semantics-rejection', ['monitored', scenario])
    expect(bare.code).toBe(code)
    expect(readable(monitored)).toEqual(readable(bare))
  })
})
