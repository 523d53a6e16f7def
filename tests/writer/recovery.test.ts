import { expect, it } from 'vitest'
import { Control } from '../../lib/queue/control.js'
import { Transcoder } from '../../lib/serialize/transcode.js'
import { RecordSink } from '../../lib/writer/record-sink.js'
import { Recovery } from '../../lib/writer/recovery.js'
import { Shelved } from '../../lib/writer/shelving.js'
import { registerProcess, tempStore } from '../store/temp-store.js'

it('has something to do at first, and again with each thread that is shelved meanwhile', () => {
  const { path, db, writer } = tempStore()
  const boot = '00000000000000aa'
  registerProcess(writer, boot)
  const shelved = new Shelved(new Control())
  const where = { storePath: path, boot, host: 'box', shelved }
  const recovery = new Recovery(db, writer, new RecordSink(writer, new Transcoder()), where)
  const nowUs = Date.now() * 1000
  expect(recovery.hasMore).toBe(true)
  expect(recovery.step(nowUs)).toBe(false)
  expect(recovery.hasMore).toBe(false)
  const taken = new Int32Array(new SharedArrayBuffer(4))
  shelved.add({ ring: 9, inJournal: [0, 0], kib: 0, taken })
  expect(recovery.hasMore).toBe(true)
  expect(recovery.step(nowUs)).toBe(false)
  expect([...taken]).toEqual([1])
  expect(recovery.hasMore).toBe(false)
})
