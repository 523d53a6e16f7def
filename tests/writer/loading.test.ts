import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { OWN_VERSION } from '../../lib/threads/own-version.js'

const index = new URL('../../dist/index.js', import.meta.url).href
/** All of the recorder's state: a copy of it is a recorder of its own. */
const recorder = new URL('../../dist/app/callsight.js', import.meta.url).href

/** What a program does that loads the recorder `times` times, and what `then` says afterwards. */
function loads(times: number, then: string, env: NodeJS.ProcessEnv = {}): unknown {
  const program = `
    import fs from 'node:fs'
    import { syncBuiltinESMExports } from 'node:module'
    import threads from 'node:worker_threads'
    const seen = { files: [], channels: 0, memory: 0 }
    for (const name of ['readFileSync', 'openSync', 'statSync', 'readlinkSync', 'mkdirSync']) {
      const real = fs[name]
      fs[name] = (path, ...rest) => {
        // From Node 24 on its loader reads modules this way too.
        if (!String(path).startsWith(${JSON.stringify(recorder)})) seen.files.push(String(path))
        return real(path, ...rest)
      }
    }
    threads.BroadcastChannel = class extends threads.BroadcastChannel {
      constructor(name) { super(name); seen.channels++ }
    }
    globalThis.SharedArrayBuffer = new Proxy(SharedArrayBuffer, {
      construct: (real, given) => (seen.memory++, new real(...given)),
    })
    syncBuiltinESMExports()
    const counts = () => ['exit', 'SIGTERM', 'SIGINT', 'worker'].map(event => process.listenerCount(event))
    // Node itself listens for the end of a module.
    const before = counts()
    const listeners = () => counts().map((count, index) => count - before[index])
    const said = []
    process.on('warning', ({ name }) => said.push(name))
    for (let n = 0; n < ${times}; n++) await import(${JSON.stringify(recorder)} + '?' + n)
    ${then}
    await new Promise(resolve => setImmediate(resolve))
    console.log(JSON.stringify({ ...seen, listeners: listeners(), said, alive: process.getActiveResourcesInfo().filter(kind => /Port|Worker|Timer/.test(kind)) }))`
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
    env: { ...process.env, NODE_OPTIONS: '', CALLSIGHT: '', ...env },
  })
  return JSON.parse(output.toString())
}

const nothing = { files: [], channels: 0, memory: 0, listeners: [0, 0, 0, 0], said: [], alive: [] }

describe('loading the package', () => {
  it('opens no file, channel or shared memory and listens to nothing, however often it is loaded', () => {
    expect(loads(1, '')).toEqual(nothing)
    expect(loads(20, '')).toEqual(nothing)
    expect(loads(20, '', { CALLSIGHT: 'off' })).toEqual(nothing)
  })

  it('the first worker thread makes the main thread listen for it', () => {
    const worker = `new threads.Worker('', { eval: true }); new threads.Worker('', { eval: true })`
    // The boot id and where call numbers begin.
    const files = ['/dev/urandom', '/dev/urandom']
    expect(loads(20, worker)).toMatchObject({ files, channels: 1, listeners: [1, 0, 0, 0], said: [] })
    expect(loads(20, worker, { CALLSIGHT: 'off' })).toMatchObject({ channels: 0, listeners: [0, 0, 0, 0] })
  })

  it('recording without worker threads opens no channel: the writer thread is none that records', () => {
    const folder = mkdtempSync(join(tmpdir(), 'callsight-loading-'))
    try {
      const record = `const { monitor, shutdown } = await import(${JSON.stringify(index)})
        monitor(function once() {})()
        await shutdown()`
      expect(loads(0, record, { CALLSIGHT_DB: join(folder, 'calls.db') })).toMatchObject({ channels: 0 })
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it('the version that is written down is that of the package', () => {
    const manifest = fileURLToPath(new URL('../../package.json', import.meta.url))
    expect((JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version).toBe(OWN_VERSION)
  })
})
