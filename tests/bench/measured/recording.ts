import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Account, type CallsightOptions, configure, health, shutdown } from 'callsight'

/** A new store in a folder of its own, which is removed when the process ends. */
export function recordIntoNewStore(options: CallsightOptions = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'callsight-bench-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'calls.db')
  configure({ ...options, store: { ...options.store, path } })
  return path
}

/** A figure that was taken while records were dropped is the figure of something else. */
export function assertNothingDropped({ calls, errors, balanced }: Account): void {
  const dropped = { ...calls.dropped, ...errors.dropped }
  if (Object.keys(dropped).length > 0) throw new Error(`records were dropped: ${JSON.stringify(dropped)}`)
  if (!balanced) throw new Error('the account does not add up')
}

export async function endRecording(): Promise<Account> {
  const { state, reason, account: none } = health()
  if (state === 'off' && process.env['CALLSIGHT'] === 'off') return none
  if (state !== 'recording') throw new Error(`nothing was recorded: Callsight is ${state}, ${reason}`)
  const account = await shutdown()
  assertNothingDropped(account)
  return account
}
