import { run } from '../../lib/cli/program.js'
import type { Screen } from '../../lib/cli/screen.js'

/** Runs in this process on a terminal of some width, with marks in the place of colours. */
export async function onTerminal(args: readonly string[], width: number, colours = false) {
  let out = ''
  let err = ''
  const screen: Screen = {
    width,
    isTerminal: true,
    isUtf8: true,
    style: (style, text) => (colours && style !== null ? `<${style}>${text}</${style}>` : text),
    write: text => {
      out += text
    },
    writeError: text => {
      err += text
    },
    working: () => {},
  }
  const code = await run(args, screen)
  return { code, out, err }
}
