import { resolve } from 'node:path'
import { ConfigError } from '../config/errors.js'
import { renderValue } from '../config/render.js'
import { codeOf } from '../store/errors.js'
import { OWN_VERSION } from '../threads/own-version.js'
import { isLoopback } from './addresses.js'
import { DashboardError } from './errors.js'
import type { RunningServer, ServerSettings } from './server.js'

export interface DashboardOptions {
  /** Default 0: any port that is free. */
  readonly port?: number | undefined
  /** Address of the interface it listens at. Default `127.0.0.1`: nobody but this machine. */
  readonly host?: string | undefined
  /** Must be true for a host that other machines reach. Everybody who has the token can read the recording then, and
   * everybody who sees the traffic has the token: put a proxy with TLS in front. Default false. */
  readonly allowRemote?: boolean | undefined
  /** Must be true where `NODE_ENV` is `production`. Default false. */
  readonly allowProduction?: boolean | undefined
  /** The recording. Default: the one this program writes. */
  readonly path?: string | undefined
  /** At least 32 letters, digits, `-` and `_`. Default: a new random one of 256 bits. */
  readonly token?: string | undefined
  /** The process stays alive for it until it is closed. Default false: it never keeps a program from ending. */
  readonly keepAlive?: boolean | undefined
}

/** A dashboard that can be opened. */
export interface Dashboard {
  /** With the token in it: whoever has this address can read the recording. */
  readonly url: string
  readonly port: number
  /** Ends it and all its connections. Closing twice is fine. */
  close(): Promise<void>
}

type Rule = readonly [allowed: string, test: (value: unknown) => boolean]

const isBoolean = (value: unknown): boolean => typeof value === 'boolean'
const TRUE_OR_FALSE: Rule = ['true or false', isBoolean]
const RULES: { readonly [Name in keyof Required<DashboardOptions>]: Rule } = {
  port: ['a whole number from 0 to 65535', value => Number.isInteger(value) && isPort(value as number)],
  host: [
    'the address or name of an interface of this machine',
    value => typeof value === 'string' && /^[\w.:-]{1,253}$/.test(value),
  ],
  allowRemote: TRUE_OR_FALSE,
  allowProduction: TRUE_OR_FALSE,
  path: ['the path of a file', value => typeof value === 'string' && value !== ''],
  token: [
    '32 to 256 letters, digits, - and _',
    value => typeof value === 'string' && /^[\w-]{32,256}$/.test(value),
  ],
  keepAlive: TRUE_OR_FALSE,
}

/**
 * Loads the server and starts it; see `startDashboard()`.
 *
 * @param recordedPath the recording when the options name none
 */
export async function openDashboard(
  options: DashboardOptions,
  recordedPath: () => string,
): Promise<Dashboard> {
  const { allowProduction, ...settings } = checked(options, recordedPath)
  if (process.env['NODE_ENV'] === 'production' && !allowProduction) {
    throw new ConfigError(
      'Callsight: the dashboard is off where NODE_ENV is production; startDashboard({ allowProduction: true }) starts it all the same',
    )
  }
  const { listen } = (await import(new URL('../dashboard/server.js', import.meta.url).href)) as {
    readonly listen: (settings: ServerSettings) => Promise<RunningServer>
  }
  try {
    return await listen(settings)
  } catch (cause) {
    throw new DashboardError(whyNot(settings, cause), { cause })
  }
}

function checked(given: DashboardOptions, recordedPath: () => string) {
  if (typeof given !== 'object' || given === null)
    throw new ConfigError(`Callsight: startDashboard() takes an object of options, not ${renderValue(given)}`)
  for (const [name, value] of Object.entries(given)) {
    const rule = Object.hasOwn(RULES, name) ? RULES[name as keyof DashboardOptions] : undefined
    if (rule === undefined)
      throw new ConfigError(
        `Callsight: startDashboard() has no option ${name}; it has ${Object.keys(RULES).join(', ')}`,
      )
    if (value !== undefined && !rule[1](value))
      throw new ConfigError(
        `Callsight: startDashboard() option ${name} must be ${rule[0]}, not ${renderValue(value)}`,
      )
  }
  const { port = 0, host = '127.0.0.1', token = null, keepAlive = false, allowProduction = false } = given
  if (!isLoopback(host) && given.allowRemote !== true) {
    throw new ConfigError(
      `Callsight: other machines may reach ${host}; set allowRemote (callsight ui --allow-remote) to let them read the recording with the token`,
    )
  }
  const path = resolve(given.path ?? recordedPath())
  return { port, host, token, keepAlive, allowProduction, path, version: OWN_VERSION }
}

function whyNot({ host, port }: ServerSettings, cause: unknown): string {
  const at = `${host}:${port}`
  switch (codeOf(cause)) {
    case 'EADDRINUSE':
      return `Callsight: the dashboard cannot use ${at}, another program does. Choose another port, or 0 for any`
    case 'EACCES':
      return `Callsight: the dashboard may not use ${at}. Choose a port above 1023, or 0 for any`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `Callsight: this machine has no interface ${host}. Choose 127.0.0.1`
    default:
      return `Callsight: the dashboard cannot listen at ${at} (${codeOf(cause) || String(cause)})`
  }
}

function isPort(value: number): boolean {
  return value >= 0 && value <= 65_535
}
