/** What a browser waits for each answer of the dashboard: through its server and a reader thread, as published. */
import type { Api, SessionAnswer } from '../../lib/dashboard/api.js'
import type { ServerLimits, ServerSettings } from '../../lib/dashboard/server.js'
import { openStore } from '../../lib/store/read.js'

interface ServerModule {
  listen(
    settings: ServerSettings,
    limits: Partial<ServerLimits>,
  ): Promise<{ readonly port: number; close(): Promise<void> }>
}

const SERVER = new URL('../../dist/dashboard/server.js', import.meta.url).href
const TOKEN = 'x'.repeat(32)
const ROUNDS = 9
const FUNCTION = 'Ledger.post3'
const SIX_HOURS_MS = 6 * 3_600_000

/** Of each address the first answer and the median of the next ones, in milliseconds. */
export async function dashboardFigures(path: string): Promise<Record<string, number>> {
  const { listen } = (await import(SERVER)) as ServerModule
  const settings = { port: 0, host: '127.0.0.1', path, token: TOKEN, keepAlive: true, version: '' }
  const server = await listen(settings, { threads: 1, deadlineMs: 60_000 })
  const ask = async (address: keyof Api, parameters: Readonly<Record<string, string>>): Promise<string> => {
    const url = `http://127.0.0.1:${server.port}${address}?${new URLSearchParams(parameters)}`
    const response = await fetch(url, { headers: { authorization: `Bearer ${TOKEN}` } })
    if (!response.ok) throw new Error(`${url}: ${await response.text()}`)
    return response.text()
  }
  try {
    const { recorded } = JSON.parse(await ask('/api/session', {})) as SessionAnswer
    const six = {
      since: String((recorded?.untilMs ?? 0) - SIX_HOURS_MS),
      until: String(recorded?.untilMs ?? 0),
    }
    const figures: Record<string, number> = {}
    for (const [name, address, parameters] of questions(path, six)) {
      const ms: number[] = []
      for (let round = 0; round <= ROUNDS; round++) {
        const begun = performance.now()
        await ask(address, parameters)
        ms.push(performance.now() - begun)
      }
      const [first = 0, ...warm] = ms
      figures[`dashboard: ${name}, first`] = first
      figures[`dashboard: ${name}, warm`] = warm.sort((a, b) => a - b)[ROUNDS >>> 1] ?? 0
    }
    return figures
  } finally {
    await server.close()
  }
}

type Question = readonly [name: string, address: keyof Api, parameters: Readonly<Record<string, string>>]

function questions(path: string, six: Readonly<Record<string, string>>): Question[] {
  using store = openStore(path)
  const [error] = store.errors({ limit: 1 })
  if (error === undefined) throw new Error('the store has no errors')
  const { call_id: call, trace_id: id, fingerprint } = error
  const overTime: [name: string, address: keyof Api, parameters: Readonly<Record<string, string>>][] = [
    ['overview', '/api/overview', {}],
    ['function', '/api/function', { name: FUNCTION }],
    ['why slow', '/api/why', { name: FUNCTION }],
    ['error groups', '/api/errors', {}],
    ['one group', '/api/error-group', { fingerprint }],
    ['calls', '/api/calls', {}],
    ['calls of a function', '/api/calls', { function: FUNCTION }],
    ['calls of 250 ms and more', '/api/calls', { min_duration: '250ms' }],
    ['recorder', '/api/health', {}],
  ]
  return [
    ['session', '/api/session', {}],
    ...overTime,
    ...overTime.map(
      ([name, address, parameters]): Question => [`${name}, 6 h`, address, { ...parameters, ...six }],
    ),
    ['one error', '/api/error', { call }],
    ['trace', '/api/trace', { id }],
    ['tail', '/api/tail', {}],
  ]
}
