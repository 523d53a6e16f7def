/** Started by processes.test.ts: opens the store at a given moment and writes small batches into it. */
import { classify } from '../../lib/store/errors.js'
import { StoreWriter } from '../../lib/store/insert.js'
import { openForWriting } from '../../lib/store/open.js'
import { errorFields } from './error-fields.js'

const [path = '', boot = '', atMs = '0', batches = '0'] = process.argv.slice(2)
const ROWS = 30
const START_US = 1_767_000_000_000_000

while (Date.now() < Number(atMs)) {
  // every process has to arrive at the same millisecond
}
const db = openForWriting(path)
const writer = new StoreWriter(db)

for (let batch = 0; batch < Number(batches); ) {
  try {
    writer.begin()
    const startedUs = START_US
    const info = {
      boot: `boot${boot}`,
      pid: process.pid,
      script: 's',
      host: 'h',
      nodeVersion: 'v',
      version: '1',
    }
    const processId = writer.registerProcess({ ...info, startedUs })
    const functionId = writer.functionId('shared')
    // All processes ask for the same ids.
    for (let n = 0; n < ROWS; n++)
      writer.call(START_US + batch, n, functionId, processId, 1, 1, n, n, 0, 0, null, '[]', null, null)
    writer.error({ ...errorFields, endUs: START_US + batch, functionId, processId, seq: batch })
    writer.lane(processId, 0, 0, 0, ROWS * (batch + 1), '{}', batch)
    writer.commit()
    batch++
  } catch (error) {
    writer.rollback()
    if (classify(error) !== 'busy') throw error
  }
}
db.close()
console.log('done')
