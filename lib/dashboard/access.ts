import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'

/** What is looked at of a request before anything else is done with it. */
export interface Asked {
  readonly method: string
  /** As it was sent. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
}

/** Who may ask: what a server that listens expects of every request. */
export interface Door {
  readonly token: string
  readonly cookieName: string
  readonly port: number
  /** Names it may be called by, in lower case and without the port. */
  readonly hosts: readonly string[]
  /** Any address of this machine is a name as well: it listens beyond the loopback interface. */
  readonly anyAddress: boolean
}

export type Verdict =
  | { readonly kind: 'refused'; readonly status: number; readonly code: string; readonly message: string }
  /** The token came with the address: on to the same address without it. */
  | { readonly kind: 'redirect'; readonly location: string }
  | { readonly kind: 'api'; readonly path: string; readonly query: URLSearchParams }
  | { readonly kind: 'file'; readonly path: string }

const MAX_URL_LENGTH = 4_096
const MAX_TOKEN_LENGTH = 256
/** Of a path that is the page's own business. Two slashes at its beginning would name another host in a redirect. */
const PAGE_PATH = /^\/(?!\/)[\w\-.~/:@!$&'()*+,;=%]*$/

/**
 * Judges a request. The order is that of the attacks: what no browser page of ours sends is refused before the token is
 * looked at, so that a page of somebody else learns nothing, not even whether it has one.
 */
export function judge(asked: Asked, door: Door): Verdict {
  const { method, url, headers } = asked
  if (method !== 'GET' && method !== 'HEAD')
    return refused(405, 'CALLSIGHT_DASHBOARD_METHOD', 'Only GET and HEAD: nothing can be changed here.')
  if (headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0')
    return refused(413, 'CALLSIGHT_DASHBOARD_BODY', 'A question has no body.')
  if (url.length > MAX_URL_LENGTH)
    return refused(414, 'CALLSIGHT_DASHBOARD_ADDRESS', 'The address is too long.')
  const host = headers.host ?? ''
  if (!isOurName(host, door))
    return refused(421, 'CALLSIGHT_DASHBOARD_HOST', 'This server is not called by that name.')
  if (headers.origin !== undefined && headers.origin !== `http://${host}`)
    return refused(403, 'CALLSIGHT_DASHBOARD_ORIGIN', 'Another page may not ask.')
  const mark = url.indexOf('?')
  const path = mark < 0 ? url : url.slice(0, mark)
  const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1))
  if (!isOurOwnPage(headers, path))
    return refused(403, 'CALLSIGHT_DASHBOARD_SITE', 'Another page may not ask.')
  if (!PAGE_PATH.test(path))
    return refused(400, 'CALLSIGHT_DASHBOARD_ADDRESS', 'This is no address of this server.')
  const inAddress = isToken(query.get('token'), door.token)
  if (
    !inAddress &&
    !cookiesOf(headers.cookie, door.cookieName).some(value => isToken(value, door.token)) &&
    !isToken(bearer(headers), door.token)
  )
    return refused(401, 'CALLSIGHT_DASHBOARD_TOKEN', 'The token is missing or wrong.')
  const isApi = path.startsWith('/api/')
  if (!isApi && query.has('token') && inAddress) {
    query.delete('token')
    return { kind: 'redirect', location: query.size > 0 ? `${path}?${query}` : path }
  }
  query.delete('token')
  return isApi ? { kind: 'api', path, query } : { kind: 'file', path }
}

function refused(status: number, code: string, message: string): Verdict {
  return { kind: 'refused', status, code, message }
}

/** A name that somebody else made point here (DNS rebinding) is none of ours. */
function isOurName(host: string, { port, hosts, anyAddress }: Door): boolean {
  const lower = host.toLowerCase()
  const suffix = `:${port}`
  // Browsers leave out the default port.
  const name = lower.endsWith(suffix) ? lower.slice(0, -suffix.length) : port === 80 ? lower : ''
  return hosts.includes(name) || (anyAddress && isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0)
}

/** A link on another page may lead to ours; nothing else may be asked from there. */
function isOurOwnPage(headers: IncomingHttpHeaders, path: string): boolean {
  const site = headers['sec-fetch-site']
  if (site === undefined || site === 'same-origin' || site === 'none') return true
  const isVisit = headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document'
  return isVisit && !path.startsWith('/api/') && !path.startsWith('/assets/')
}

function bearer({ authorization }: IncomingHttpHeaders): string | null {
  return /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1] ?? null
}

/** Cookies know no ports: a page of another server on this machine may have put one of our name before ours. */
function cookiesOf(header: string | undefined, name: string): string[] {
  const pairs = (header ?? '').split(';').map(pair => pair.split('=', 2))
  return pairs.flatMap(([key, value]) => (key?.trim() === name && value !== undefined ? [value.trim()] : []))
}

/** Takes as long for a wrong token as for the right one: what is compared are digests, which have one length. */
function isToken(given: string | null, token: string): boolean {
  if (given === null || given.length > MAX_TOKEN_LENGTH) return false
  return timingSafeEqual(digest(given), digest(token))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
