import { styleText } from 'node:util'

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan'

/** Where answers go: a terminal of some width, or a file or pipe that takes lines of any length. */
export interface Screen {
  /** Columns, or `null` for lines of any length. */
  readonly width: number | null
  readonly isTerminal: boolean
  style(style: Style | null, text: string): string
  write(text: string): void
  writeError(text: string): void
}

const MIN_WIDTH = 20

export function processScreen(): Screen {
  const { stdout, stderr, env } = process
  const isTerminal = stdout.isTTY === true
  // hasColors knows NO_COLOR, FORCE_COLOR and TERM=dumb; a pipe gets none.
  const colours = isTerminal && !env['NO_COLOR'] && stdout.hasColors()
  return {
    width: widthOf(isTerminal ? stdout.columns : Number(env['COLUMNS'])),
    isTerminal,
    style: (style, text) =>
      colours && style !== null ? styleText(style, text, { validateStream: false }) : text,
    write: text => void stdout.write(text),
    writeError: text => void stderr.write(text),
  }
}

function widthOf(columns: number): number | null {
  return Number.isInteger(columns) && columns > 0 ? Math.max(columns, MIN_WIDTH) : null
}
