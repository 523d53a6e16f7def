import type { RunningServer, ServerLimits, ServerSettings } from '../../lib/dashboard/server.js'
import { exchange, type Reply, request } from './http.js'

interface ServerModule {
  listen(settings: ServerSettings, limits?: Partial<ServerLimits>): Promise<RunningServer>
}

/** Of the build: a reader thread is no place for TypeScript. */
const SERVER = new URL('../../dist/dashboard/server.js', import.meta.url).href

export const TOKEN = 'a-token-of-the-tests-that-nobody-guesses_00'

/** Makes each look at the totals count that far. Readers refuse such a file, except those that have it open already. */
export const slowTotals = (far: number) => `DROP TABLE totals; CREATE VIEW totals AS
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${far})
  SELECT i AS minute, 0 AS function_id, 0 AS process_id, 0 AS calls, 0 AS errors, 0 AS kept, 0 AS timed,
    0 AS duration_sum_ns, 0 AS duration_max_ns, '{}' AS buckets FROM n WHERE i % 2 = 5`

/** A server on this recording, and requests to it. */
export async function serve(
  path: string,
  limits: Partial<ServerLimits> = {},
  settings: Partial<ServerSettings> = {},
) {
  const { listen } = (await import(SERVER)) as ServerModule
  const server = await listen(
    { port: 0, host: '127.0.0.1', path, token: TOKEN, keepAlive: false, version: '1.2.3', ...settings },
    limits,
  )
  const { port } = server
  const get = (target: string, headers: Readonly<Record<string, string>> = {}): Promise<Reply> =>
    exchange(port, request(target, port, { Authorization: `Bearer ${TOKEN}`, ...headers }))
  return {
    server,
    port,
    get,
    /** Without a token of its own. */
    bare: (target: string, headers: Readonly<Record<string, string>> = {}) =>
      exchange(port, request(target, port, headers)),
    json: async (target: string) => JSON.parse((await get(target)).body),
  }
}

export type Served = Awaited<ReturnType<typeof serve>>
