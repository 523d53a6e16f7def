/**
 * The reader of the row "call to visible row": polls a store from another process and prints, for each new call of
 * `stamp`, the milliseconds from the moment in its argument to the moment its row was there.
 */
import { loadDriver } from '../../lib/store/driver.js'

const [path = '', wanted = ''] = process.argv.slice(2)
const POLL_MS = 0.5
const GIVE_UP_MS = 60_000
const driver = loadDriver()
const db = new driver(path, { readonly: true, fileMustExist: true })
const newRows = db.prepare(
  'SELECT CAST(id AS TEXT) AS id, args FROM calls WHERE id > CAST(? AS INTEGER) ORDER BY id',
)
const pauseWord = new Int32Array(new SharedArrayBuffer(4))
const latencies: number[] = []
const begun = performance.now()
let newest = '0'
for (
  let first = true;
  latencies.length < Number(wanted) && performance.now() - begun < GIVE_UP_MS;
  first = false
) {
  const rows = newRows.all(newest) as { id: string; args: string }[]
  const seenMs = performance.timeOrigin + performance.now()
  newest = rows.at(-1)?.id ?? newest
  if (!first) for (const { args } of rows) latencies.push(seenMs - (JSON.parse(args) as number[])[0]!)
  Atomics.wait(pauseWord, 0, 0, POLL_MS)
}
db.close()
process.stdout.write(JSON.stringify(latencies))
