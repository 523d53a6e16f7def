import { styleText } from 'node:util'

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan'

/** Where answers go: a terminal of some width, or a file or pipe that takes lines of any length. */
export interface Screen {
  /** Columns, or `null` for lines of any length. */
  readonly width: number | null
  readonly isTerminal: boolean
  /** Whether characters beyond ASCII are shown as what they are. */
  readonly isUtf8: boolean
  style(style: Style | null, text: string): string
  write(text: string): void
  writeError(text: string): void
  /** One line about work that takes time, on a terminal only; `null` takes it away again. */
  working(text: string | null): void
}

const MIN_WIDTH = 20
const CLEAR_LINE = '\r\x1b[K'

export function processScreen(): Screen {
  const { stdout, stderr, env } = process
  const isTerminal = stdout.isTTY === true
  // hasColors knows NO_COLOR, FORCE_COLOR and TERM=dumb; a pipe gets none.
  const colours = isTerminal && !env['NO_COLOR'] && stdout.hasColors()
  return {
    width: widthOf(isTerminal ? stdout.columns : Number(env['COLUMNS'])),
    isTerminal,
    isUtf8: isUtf8(),
    style: (style, text) =>
      colours && style !== null ? styleText(style, text, { validateStream: false }) : text,
    write: text => void stdout.write(text),
    writeError: text => void stderr.write(text),
    working: text => {
      if (stderr.isTTY === true) stderr.write(text === null ? CLEAR_LINE : `${CLEAR_LINE}${text} …`)
    },
  }
}

function widthOf(columns: number): number | null {
  return Number.isInteger(columns) && columns > 0 ? Math.max(columns, MIN_WIDTH) : null
}

/** As the C library decides it; Windows terminals take UTF-8 whatever the environment says. */
function isUtf8(): boolean {
  const { LC_ALL, LC_CTYPE, LANG } = process.env
  return process.platform === 'win32' || /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || '')
}
