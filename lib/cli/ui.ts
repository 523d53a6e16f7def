import { type Command, InvalidArgumentError } from 'commander'
import { type Dashboard, openDashboard } from '../dashboard/start.js'
import { openBrowser } from './browser.js'
import { type CommonOptions, commandWithoutRows, storePath, withStore } from './options.js'
import type { Screen } from './screen.js'
import { stopSignal } from './stop-signal.js'

interface Options extends Omit<CommonOptions, 'json'> {
  readonly port?: number
  readonly host: string
  readonly allowRemote?: boolean
  readonly open: boolean
}

/** Easy to remember; when another program has it, any port will do. */
const USUAL_PORT = 7007

export function uiCommand(screen: Screen): Command {
  return commandWithoutRows('ui', 'the dashboard: a web page about a recording, until Ctrl-C', [
    'ui',
    'ui --db copies/calls.db --port 8080',
    'ui --no-open   # prints the address and leaves the browser alone',
  ])
    .option(
      '--port <port>',
      `where it listens; 0: any (default: ${USUAL_PORT}, or any if that is taken)`,
      portNumber,
    )
    .option('--host <address>', 'interface it listens at', '127.0.0.1')
    .option('--allow-remote', 'with a --host that other machines reach: let them in, with the token')
    .option('--no-open', 'do not open a browser')
    .action(async (options: Options) => {
      // A recording that cannot be read is said here, as by every other command.
      withStore(options, () => {})
      const dashboard = await listen(options)
      const stopped = stopSignal()
      screen.write(`${dashboard.url}\n`)
      if (options.open && screen.isTerminal && !process.env['CI']) openBrowser(dashboard.url)
      await stopped
      await dashboard.close()
    })
}

async function listen({ port, host, allowRemote, ...options }: Options): Promise<Dashboard> {
  const start = (at: number) =>
    openDashboard(
      { port: at, host, allowRemote, path: storePath(options), allowProduction: true, keepAlive: true },
      () => storePath(options),
    )
  if (port !== undefined) return start(port)
  return start(USUAL_PORT).catch(() => start(0))
}

function portNumber(value: string): number {
  const port = Number(value)
  if (/^\d{1,5}$/.test(value) && port <= 65_535) return port
  throw new InvalidArgumentError('Use a whole number from 0 to 65535.')
}
