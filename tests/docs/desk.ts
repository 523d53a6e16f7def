import { monitor } from 'callsight'

class Table {
  @monitor()
  join(rows: number[]) {
    for (;;) rows.reverse()
  }
}

class Report {
  readonly #table = new Table()

  @monitor()
  build(query: { month: string }) {
    return this.#table.join(Array.from({ length: 48_211 }, (_, row) => row + query.month.length))
  }
}

class Server {
  @monitor()
  handle(request: string) {
    if (request.endsWith('/favicon.ico')) throw new RangeError(`no such page: ${request}`)
    return new Report().build({ month: '2026-11' })
  }
}

const server = new Server()
try {
  server.handle('GET /favicon.ico')
} catch {}
setTimeout(() => server.handle('GET /report'), 500)
