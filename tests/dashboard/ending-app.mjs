// A program that has nothing left to do but a dashboard: `asked` has had an answer, `asking` waits for one of a store
// that this SQL has made slow.
// Its reader threads would stay for longer than any test.
import { get } from 'node:http'
import Database from 'better-sqlite3'
import { listen } from '../../dist/dashboard/server.js'

const [path, target, how, sql] = process.argv.slice(2)
const token = 'x'.repeat(32)
const settings = { port: 0, host: '127.0.0.1', path, token, keepAlive: false, version: '' }
const { port } = await listen(settings, { idleMs: 3_600_000, deadlineMs: 3_600_000 })

if (sql !== undefined) {
  await ask('/api/tail', false)
  new Database(path).exec(sql).close()
}
await ask(target, how === 'asking')
process.stdout.write('done\n')

function ask(address, isLeft) {
  return new Promise(resolve => {
    const request = get({
      port,
      host: '127.0.0.1',
      path: address,
      agent: false,
      headers: { authorization: `Bearer ${token}` },
    })
    request.on('response', response => {
      response.resume()
      response.on('end', resolve)
    })
    request.on('error', () => {})
    if (isLeft) {
      request.on('socket', socket => socket.unref())
      // Long enough for the reader to have begun, and no matter if it has not.
      setTimeout(resolve, 1_000)
    }
  })
}
