import { spawn } from 'node:child_process'

const OPENERS: Readonly<Partial<Record<NodeJS.Platform, readonly string[]>>> = {
  darwin: ['open'],
  // `start` is a word of the shell; this is the program behind it.
  win32: ['rundll32', 'url.dll,FileProtocolHandler'],
}

/** Shows an address in the browser of this desktop, if there is one. Whether it worked nobody can tell. */
export function openBrowser(url: string): void {
  const [program, ...args] = OPENERS[process.platform] ?? ['xdg-open']
  if (program === undefined) return
  try {
    const child = spawn(program, [...args, url], { stdio: 'ignore', detached: true })
    child.on('error', () => {})
    child.unref()
  } catch {
    // The address has been printed.
  }
}
