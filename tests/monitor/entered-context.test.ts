import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { entersContext } from '../../lib/monitor/context.js'

const SINCE_MAJOR = 24
const entersByItself = Number(process.versions.node.split('.')[0]) >= SINCE_MAJOR
const imitation = fileURLToPath(new URL('../.build/standard/entered-context.js', import.meta.url))
const ASKED = `process.stdout.write(String('kResourceStore' in new (require('node:async_hooks').AsyncLocalStorage)()))`

const run = (...node: string[]) =>
  execFileSync(process.execPath, [...node, '-e', ASKED], { encoding: 'utf8' })

it(`the recorder enters contexts from Node ${SINCE_MAJOR} on, and where these tests imitate that`, () => {
  expect(entersContext).toBe(entersByItself || process.env['ENTERED_CONTEXT'] !== undefined)
})

it('a program that loads the imitation first sees a storage as that of the later Node', () => {
  expect(run()).toBe(String(!entersByItself))
  expect(run('--import', imitation)).toBe('false')
})
