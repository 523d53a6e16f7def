import { describeLibrary } from './library.js'

describeLibrary({
  name: 'node-protocols',
  dialects: ['standard', 'legacy'],
  ends: {
    'Client.get': { ok: 1, failed: 1 },
    'Connection.[Symbol.asyncDispose]': { ok: 2, failed: 0 },
    'Connection.lock': { ok: 4, failed: 0 },
    'Files.read': { ok: 1, failed: 1 },
    'Lock.[Symbol.dispose]': { ok: 4, failed: 0 },
    'Pages.[Symbol.asyncIterator]': { ok: 1, failed: 0 },
    'Pages.[Symbol.iterator]': { ok: 5, failed: 0 },
    'Pages.next': { ok: 4, failed: 0 },
    custom: { ok: 1, failed: 0 },
    divide: { ok: 2, failed: 0 },
    onAbort: { ok: 1, failed: 0 },
    onTimer: { ok: 1, failed: 0 },
    tick: { ok: 1, failed: 0 },
  },
})
