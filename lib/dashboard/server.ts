import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { hostname, networkInterfaces } from 'node:os'
import { fileURLToPath } from 'node:url'
import { type Door, judge } from './access.js'
import { isLoopback } from './addresses.js'
import { fileAt, type PageFile, readPage } from './files.js'
import { type Answer, failure } from './messages.js'
import { type QuestionLimits, Questions } from './questions.js'

export interface ServerSettings {
  readonly port: number
  readonly host: string
  /** Of the recording. */
  readonly path: string
  /** `null`: a random one. */
  readonly token: string | null
  readonly keepAlive: boolean
  readonly version: string
}

/** What a test sets lower. */
export interface ServerLimits extends QuestionLimits {
  readonly headersTimeoutMs: number
  readonly connections: number
}

export interface RunningServer {
  readonly url: string
  readonly port: number
  close(): Promise<void>
}

const LIMITS: ServerLimits = {
  headersTimeoutMs: 10_000,
  connections: 64,
  deadlineMs: 10_000,
  threads: 2,
  waiting: 32,
  idleMs: 30_000,
}
const MAX_HEADER_BYTES = 8 * 1024
const KEEP_ALIVE_MS = 5_000
/** A connection on which nothing moves, as of somebody who does not read the answer. */
const SILENCE_MS = 60_000
const TOKEN_BYTES = 32

/** Of every answer. Nothing but files of this server is loaded or shown, by nobody else, and no address is told on. */
const HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
}
const NO_STORE = 'no-store'
const IMMUTABLE = 'private, max-age=31536000, immutable'
const JSON_TYPE = 'application/json; charset=utf-8'
const HTML_TYPE = 'text/html; charset=utf-8'

/** Rejects when the port cannot be had. After that nothing of it is ever thrown into the program. */
export async function listen(
  settings: ServerSettings,
  limits: Partial<ServerLimits> = {},
): Promise<RunningServer> {
  const all = { ...LIMITS, ...limits }
  const { path, version } = settings
  const server = createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: all.headersTimeoutMs,
    requestTimeout: all.headersTimeoutMs,
    connectionsCheckingInterval: Math.ceil(all.headersTimeoutMs / 10),
    keepAliveTimeout: KEEP_ALIVE_MS,
  })
  server.maxConnections = all.connections
  server.timeout = SILENCE_MS
  if (!settings.keepAlive) {
    server.unref()
    server.on('connection', socket => socket.unref())
  }
  await bound(server, settings)
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : settings.port
  const token = settings.token ?? randomBytes(TOKEN_BYTES).toString('base64url')
  const door: Door = { token, cookieName: `callsight_${port}`, port, ...namesOf(settings.host) }
  const questions = new Questions(fileURL('./reader.js'), { path, version }, all)
  const desk = new Desk(door, questions, readPage(fileURLToPath(fileURL('./page/'))))
  const receive = (request: IncomingMessage, response: ServerResponse): void =>
    desk.receive(request, response)
  server.on('request', receive)
  // Somebody who waits for leave to send a body gets the refusal instead.
  server.on('checkContinue', receive)
  server.on('checkExpectation', receive)
  return {
    url: `http://${shownHost(settings.host)}:${port}/?token=${token}`,
    port,
    close: async () => {
      server.close()
      server.closeAllConnections()
      await questions.close()
    },
  }
}

function bound(server: Server, { port, host }: ServerSettings): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, host, exclusive: true }, () => {
      server.off('error', reject)
      // What fails from now on concerns one connection, or the next one.
      server.on('error', () => {})
      resolve()
    })
  })
}

function fileURL(name: string): string {
  // The same place in the bundle and in a build of single modules.
  return new URL(`../dashboard/${name}`, import.meta.url).href
}

function namesOf(host: string): Pick<Door, 'hosts' | 'anyAddress'> {
  const own = host.includes(':') ? `[${host.toLowerCase()}]` : host.toLowerCase()
  if (isLoopback(host))
    return {
      hosts: own === '[::1]' ? ['localhost', '[::1]'] : ['localhost', '127.0.0.1', own],
      anyAddress: false,
    }
  return { hosts: ['localhost', hostname().toLowerCase(), own], anyAddress: true }
}

/** An address that can be opened: of all interfaces the first one that others reach. */
function shownHost(host: string): string {
  if (host !== '0.0.0.0' && host !== '::') return host.includes(':') ? `[${host}]` : host
  const reachable = Object.values(networkInterfaces())
    .flatMap(list => list ?? [])
    .find(({ internal, family }) => !internal && family === 'IPv4')
  return reachable?.address ?? '127.0.0.1'
}

/** Answers requests. */
class Desk {
  readonly #door: Door
  readonly #questions: Questions
  readonly #files: ReadonlyMap<string, PageFile>

  constructor(door: Door, questions: Questions, files: ReadonlyMap<string, PageFile>) {
    this.#door = door
    this.#questions = questions
    this.#files = files
  }

  receive(request: IncomingMessage, response: ServerResponse): void {
    // A browser that has left is no news; unheard it would be an exception of the program.
    request.on('error', () => {})
    response.on('error', () => {})
    const { method = '', url = '', headers } = request
    const verdict = judge({ method, url, headers }, this.#door)
    switch (verdict.kind) {
      case 'refused':
        refuse(response, method, url, verdict)
        break
      case 'redirect':
        this.#redirect(response, verdict.location)
        break
      case 'file':
        this.#sendFile(response, method, verdict.path)
        break
      case 'api':
        void this.#sendAnswer(response, method, verdict.path, verdict.query)
    }
  }

  #redirect(response: ServerResponse, location: string): void {
    const { cookieName, token } = this.#door
    const cookie = `${cookieName}=${token}; HttpOnly; SameSite=Lax; Path=/`
    send(response, 'HEAD', 303, HTML_TYPE, Buffer.alloc(0), { Location: location, 'Set-Cookie': cookie })
  }

  #sendFile(response: ServerResponse, method: string, path: string): void {
    const file = fileAt(this.#files, path)
    if (file === undefined) {
      send(response, method, 404, HTML_TYPE, sheet('Not found', 'There is nothing at this address.'))
      return
    }
    send(response, method, 200, file.type, file.content, {
      'Cache-Control': file.isHashed ? IMMUTABLE : NO_STORE,
    })
  }

  async #sendAnswer(
    response: ServerResponse,
    method: string,
    path: string,
    query: URLSearchParams,
  ): Promise<void> {
    const left = new AbortController()
    response.on('close', () => left.abort())
    const answer = await this.#questions.ask(path, Object.fromEntries(query), left.signal)
    if (!left.signal.aborted) sendJson(response, method, answer)
  }
}

function refuse(
  response: ServerResponse,
  method: string,
  url: string,
  { status, code, message }: { status: number; code: string; message: string },
): void {
  const more: Record<string, string> = status === 405 ? { Allow: 'GET, HEAD' } : {}
  // What else would come on this connection is not read.
  if (status !== 401) more['Connection'] = 'close'
  if (status !== 401 || url.startsWith('/api/')) {
    sendJson(response, method, failure(status, code, message), more)
    return
  }
  const advice =
    'This dashboard opens only with its token. Open the whole address that was printed when it was started; it is new at each start.'
  send(response, method, status, HTML_TYPE, sheet('Not signed in', advice), more)
}

function sendJson(
  response: ServerResponse,
  method: string,
  { status, body }: Answer,
  more: Readonly<Record<string, string>> = {},
): void {
  send(response, method, status, JSON_TYPE, body, status === 503 ? { 'Retry-After': '1', ...more } : more)
}

function send(
  response: ServerResponse,
  method: string,
  status: number,
  type: string,
  body: Uint8Array,
  more: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, {
    ...HEADERS,
    'Cache-Control': NO_STORE,
    'Content-Type': type,
    'Content-Length': body.byteLength,
    ...more,
  })
  response.end(method === 'HEAD' ? undefined : body)
}

/** Fixed text only: nothing of a request is ever written back. */
function sheet(title: string, text: string): Buffer {
  return Buffer.from(
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Callsight: ${title}</title></head>` +
      `<body><h1>${title}</h1><p>${text}</p></body></html>`,
  )
}
