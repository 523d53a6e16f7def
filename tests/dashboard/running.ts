import type { RunningServer, ServerLimits, ServerSettings } from '../../lib/dashboard/server.js'
import { exchange, type Reply, request } from './http.js'

interface ServerModule {
  listen(settings: ServerSettings, limits?: Partial<ServerLimits>): Promise<RunningServer>
}

/** Of the build: a reader thread is no place for TypeScript. */
const SERVER = new URL('../../dist/dashboard/server.js', import.meta.url).href

export const TOKEN = 'a-token-of-the-tests-that-nobody-guesses_00'

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
