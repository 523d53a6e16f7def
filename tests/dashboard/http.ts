import { connect } from 'node:net'

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Sends these very bytes and reads until the other side closes or one whole answer is there. */
export function exchange(port: number, bytes: string | Buffer): Promise<Reply> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    const settle = (): void => {
      const reply = parse(text)
      socket.destroy()
      if (reply === null) reject(new Error(`no answer: ${JSON.stringify(text.slice(0, 200))}`))
      else resolve(reply)
    }
    socket.setEncoding('latin1')
    socket.on('data', data => {
      text += data
      const reply = parse(text)
      if (reply !== null && reply.body.length >= Number(reply.headers['content-length'] ?? Number.NaN))
        settle()
    })
    socket.on('end', settle)
    socket.on('error', error => (parse(text) === null ? reject(error) : settle()))
  })
}

/** A request with these lines, `Host` included unless it is named. */
export function request(
  target: string,
  port: number,
  headers: Readonly<Record<string, string>> = {},
): string {
  const lines = Object.entries({ Host: `127.0.0.1:${port}`, ...headers }).map(
    ([name, value]) => `${name}: ${value}`,
  )
  return `GET ${target} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`
}

function parse(text: string): Reply | null {
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) return null
  const [first = '', ...lines] = text.slice(0, end).split('\r\n')
  const headers = Object.fromEntries(
    lines.map(line => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    }),
  )
  return { status: Number(first.split(' ')[1]), headers, body: text.slice(end + 4) }
}

/** Waits for what comes about by itself, as long as a busy machine may need. */
export async function until<T>(
  look: () => T | null | undefined | false | Promise<T | null | undefined | false>,
): Promise<T> {
  const givenUpMs = Date.now() + 60_000
  for (;;) {
    const seen = await look()
    if (seen !== null && seen !== undefined && seen !== false) return seen
    if (Date.now() > givenUpMs) throw new Error('it did not come about')
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}
