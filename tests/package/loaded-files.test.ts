import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'

const dist = new URL('../../dist/', import.meta.url)
const folder = mkdtempSync(join(tmpdir(), 'callsight-loaded-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The files of packages that the main thread of a program has compiled, which V8 tells its debugger; no other thread's. */
function loaded(program: string, env: NodeJS.ProcessEnv = {}): string[] {
  const script = `
    import { Session } from 'node:inspector'
    const seen = []
    const session = new Session()
    session.connect()
    session.on('Debugger.scriptParsed', ({ params }) => seen.push(params.url))
    session.post('Debugger.enable')
    seen.length = 0
    const callsight = await import(${JSON.stringify(new URL('index.js', dist).href)})
    ${program}
    session.disconnect()
    console.log(JSON.stringify(seen))`
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    env: { ...process.env, NODE_OPTIONS: '', CALLSIGHT: '', CALLSIGHT_DB: join(folder, 'calls.db'), ...env },
  })
  return (JSON.parse(output.toString()) as string[]).filter(url => /^file:|^\//.test(url))
}

const own = (urls: readonly string[]): string[] =>
  urls.filter(url => url.startsWith(dist.href)).map(url => url.slice(dist.href.length))

const packages = (urls: readonly string[]): string[] => [
  ...new Set(urls.flatMap(url => /\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1] ?? [])),
]

const RECORD = 'callsight.monitor(function first() {})()'

describe("what the app's thread loads", () => {
  it('at the import: two files of ours and no package, switched off or not', () => {
    for (const env of [{}, { CALLSIGHT: 'off' }]) {
      const urls = loaded('', env)
      expect(own(urls)).toEqual(['index.js', 'app/callsight.js'])
      expect(packages(urls)).toEqual([])
    }
  })

  it('at the first record: nothing more', () => {
    const urls = loaded(RECORD)
    expect(own(urls)).toEqual(['index.js', 'app/callsight.js'])
    expect(packages(urls)).toEqual([])
  })

  it('at the first call when switched off: nothing', () => {
    const urls = loaded(RECORD, { CALLSIGHT: 'off' })
    expect(own(urls)).toEqual(['index.js', 'app/callsight.js'])
    expect(packages(urls)).toEqual([])
  })

  it('the readers and the driver of the store only when a store is opened', () => {
    const urls = loaded(
      `${RECORD}\nawait callsight.flush()\ncallsight.openStore(process.env.CALLSIGHT_DB).close()`,
    )
    expect(own(urls)).toEqual(['index.js', 'app/callsight.js', 'store/read.cjs'])
    expect(packages(urls)).toEqual(expect.arrayContaining(['better-sqlite3']))
  })
})

describe("the file of the app's thread", () => {
  const map = JSON.parse(readFileSync(fileURLToPath(new URL('app/callsight.js.map', dist)), 'utf8')) as {
    readonly sources: readonly string[]
  }
  const sources = map.sources.map(path => path.replace(/^(?:\.\.\/)*lib\//, ''))
  const inRoom = (room: string): string[] => sources.filter(path => path.startsWith(`${room}/`)).sort()

  it('is made of the rooms that record', () => {
    expect(sources).toContain('monitor/function-wrapper.ts')
    expect(['cli', 'export', 'statistics', 'wording'].flatMap(inRoom)).toEqual([])
  })

  it('holds no part of the writer but what hands lanes over and starts it', () => {
    expect(inRoom('writer')).toEqual([
      'writer/lane-channel.ts',
      'writer/lane.ts',
      'writer/messages.ts',
      'writer/record-sink.ts',
      'writer/ring-rescue.ts',
      'writer/shelving.ts',
      'writer/supervisor.ts',
      'writer/tuning-channel.ts',
    ])
  })

  it('holds of the dashboard what loads it', () => {
    expect(inRoom('dashboard')).toEqual([
      'dashboard/addresses.ts',
      'dashboard/errors.ts',
      'dashboard/start.ts',
    ])
  })

  it('holds of the store where it lies, what it is called and what may be wrong with it', () => {
    expect(inRoom('store')).toEqual([
      'store/errors.ts',
      'store/folder.ts',
      'store/open-store.ts',
      'store/read-errors.ts',
      'store/reserve.ts',
    ])
  })
})
