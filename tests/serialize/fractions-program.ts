/** Prints the heap bytes that stay of 50,000 different fractions in JSON; needs `--expose-gc`. */
import { Transcoder } from '../../lib/serialize/transcode.js'

const COUNT = 50_000
const FLOAT_64 = 0xcb
const collect = globalThis.gc
if (collect === undefined) throw new Error('Start it with --expose-gc')

const transcoder = new Transcoder()
const bytes = new Uint8Array(9)
const view = new DataView(bytes.buffer)
bytes[0] = FLOAT_64
let characters = 0

function transcode(first: number): void {
  for (let i = 0; i < COUNT; i++) {
    view.setFloat64(1, i * 0.7310001 + first)
    transcoder.reset()
    transcoder.value(bytes, 0, bytes.length)
    characters += transcoder.end
  }
}

transcode(0.1)
collect()
const before = process.memoryUsage().heapUsed
transcode(0.2)
// Young collections only: what is still there waits for a full one.
for (let i = 0; i < 3; i++) collect({ type: 'minor', execution: 'sync' })
const stays = process.memoryUsage().heapUsed - before
process.stdout.write(JSON.stringify({ stays, characters }))
