import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const VALUES = `[{ list: [1, [2]], text: '${'x'.repeat(40)}', ratio: 1.5 }]`

/** What the store holds of one call, of a program that does something to the built-ins before it loads Callsight. */
function recorded(before: string, after: string): unknown {
  const folder = mkdtempSync(join(tmpdir(), 'callsight-hardened-'))
  try {
    const path = JSON.stringify(join(folder, 'calls.db'))
    const program = `
      ${before}
      const { configure, flush, monitor, openStore, shutdown } = await import('callsight')
      ${after}
      configure({ store: { path: ${path} } })
      monitor(function take() {})(...${VALUES})
      await flush()
      const store = openStore(${path})
      process.stdout.write(store.sql('SELECT args FROM recent_calls')[0].args)
      store.close()
      await shutdown()`
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
      env: { ...process.env, CALLSIGHT: 'on' },
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: 60_000,
    })
    return JSON.parse(output.toString()) as unknown
  } finally {
    rmSync(folder, { recursive: true })
  }
}

it.each([
  ['without TextEncoder, as test environments of browsers', 'delete globalThis.TextEncoder', ''],
  ['without the old methods of objects', 'delete Object.prototype.__lookupGetter__', ''],
  [
    'with frozen prototypes',
    'for (const { prototype } of [Object, Array, Function, DataView, Uint8Array]) Object.freeze(prototype)',
    '',
  ],
  [
    'with a polluted Object.prototype while it loads',
    // What Node loads later, it cannot load then.
    `await import('node:fs/promises')
      Object.defineProperty(Object.prototype, 'get', { value() {}, configurable: true })`,
    'delete Object.prototype.get',
  ],
])(
  'captures %s',
  (_, before, after) => {
    const expected: unknown = JSON.parse(VALUES.replaceAll(/(\w+):/g, '"$1":').replaceAll("'", '"'))
    expect(recorded(before, after)).toEqual(expected)
  },
  90_000,
)
