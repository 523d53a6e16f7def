import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, utimesSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { JournalReader } from '../../lib/queue/journal-reader.js'
import { lifeOf, pidSpace } from '../../lib/queue/process-identity.js'
import { rowsOf, until } from '../support/disk.js'
import { expectErrorsKept, Scene, sorted } from './harness.js'

const UNSHARE = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc']
const canUnshare = spawnSync(UNSHARE[0] ?? '', [...UNSHARE.slice(1), 'true']).status === 0
const why = canUnshare ? '' : ' (skipped: needs root and the program unshare of the package util-linux)'
/** Longer than a process of which no pid tells anything may be silent. */
const LONG_AGO_MS = 600_000

let scene: Scene
beforeEach(() => {
  scene = new Scene()
})
afterEach(() => scene.dispose())

const journalPaths = (): string[] => scene.journals().map(name => join(dirname(scene.store), name))

/** As if all that other processes said of themselves had been said long ago. */
function age(): void {
  const then = new Date(Date.now() - LONG_AGO_MS)
  for (const path of journalPaths()) utimesSync(path, then, then)
  const db = new Database(scene.store)
  db.prepare('UPDATE processes SET last_seen_us = last_seen_us - ?').run(LONG_AGO_MS * 1_000)
  db.close()
}

describe(`row 14: two containers on one volume${why}`, () => {
  it.skipIf(!canUnshare)('the journal of a process in another pid namespace is left alone', async () => {
    const victim = scene.start({ calls: 40, ending: 'hang' }, { wrap: UNSHARE })
    await victim.says('waiting')
    const journals = scene.journals()
    expect(journals).toHaveLength(1)
    await scene.run({ first: 1_000, calls: 20, ending: 'shutdown' })
    expect(scene.journals()).toEqual(journals)
    victim.child.kill('SIGKILL')
    await victim.ended
    // Nobody knows that it is dead, before it has been silent for long.
    await scene.run({ first: 2_000, calls: 20, ending: 'shutdown' })
    expect(scene.journals()).toEqual(journals)
    age()
    expectErrorsKept(scene, await scene.recover())
  })

  it.skipIf(!canUnshare)(
    'one whose writer says that it lives is left alone, however old its journal',
    async () => {
      const victim = scene.start({ calls: 40, ending: 'hang' }, { wrap: UNSHARE })
      await victim.says('waiting')
      const journals = scene.journals()
      const then = new Date(Date.now() - LONG_AGO_MS)
      for (const path of journalPaths()) utimesSync(path, then, then)
      await scene.run({ first: 2_000, calls: 20, ending: 'shutdown' })
      expect(scene.journals()).toEqual(journals)
      victim.child.kill('SIGKILL')
      await victim.ended
      age()
      expectErrorsKept(scene, await scene.recover())
    },
  )

  it('what another host left is settled when that host has been silent for long', async () => {
    const victim = scene.start({ calls: 40, ending: 'block' })
    await victim.says('blocked')
    await until(() => rowsOf(scene.store, 'SELECT ring FROM lanes').length >= 2, 'a row for each lane')
    victim.child.kill('SIGKILL')
    await victim.ended
    const db = new Database(scene.store)
    db.exec("UPDATE processes SET host = 'elsewhere'; UPDATE lanes SET produced = produced + 3")
    const lost = (): unknown[] =>
      db.prepare("SELECT json_extract(dropped, '$.writer_lost') FROM lanes ORDER BY ring, lane").pluck().all()
    await scene.run({ calls: 0, ending: 'recover' }, { truth: false })
    expect(lost()).toContain(null)
    expect(lost()).not.toContain(3)
    age()
    await scene.recover()
    expect(lost().filter(count => count === 3)).toHaveLength(2)
    db.close()
  })
})

describe('whether a process lives', () => {
  const { kernel, namespace } = pidSpace()
  const self = { pid: process.pid, startTicks: 0 }

  it('is asked of the system where its pid means something', () => {
    expect(lifeOf({ ...self, pidSpace: { kernel, namespace } })).toBe('alive')
    expect(lifeOf({ ...self, startTicks: 1, pidSpace: { kernel, namespace } })).toBe('dead')
  })

  it('cannot be told of another kernel or pid namespace', () => {
    expect(lifeOf({ ...self, pidSpace: { kernel: kernel + 1, namespace } })).toBe('elsewhere')
    expect(lifeOf({ ...self, pidSpace: { kernel, namespace: namespace + 1 } })).toBe('elsewhere')
  })

  it('is asked of the system where nothing is known of that', () => {
    expect(lifeOf(self)).toBe('alive')
    expect(lifeOf({ ...self, startTicks: 1, pidSpace: { kernel: 0, namespace: 0 } })).toBe('dead')
  })
})

describe('a journal as it was written before pid namespaces stood in it', () => {
  const name = 'errors-5e9f70b40d3c6d47-0-1'
  const old = fileURLToPath(new URL(`../fixtures/journals/${name}`, import.meta.url))

  it('is read, and taken over at once', async () => {
    const reader = JournalReader.open(old)
    expect(reader?.header).toEqual({
      boot: '5e9f70b40d3c6d47',
      ring: 0,
      segment: 1,
      pid: 23_298,
      startTicks: expect.any(Number),
      originUnixUs: expect.any(Number),
    })
    reader?.close()
    mkdirSync(dirname(scene.store), { recursive: true })
    copyFileSync(old, `${scene.store}.${name}`)
    const account = await scene.recover()
    expect(sorted(account.errors)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1))
    expect(account.integrity).toBe('ok')
  })
})
