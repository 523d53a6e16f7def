import { describeLibrary } from './library.js'

describeLibrary({
  name: 'node-events',
  dialects: ['standard', 'legacy'],
  ends: {
    'Line.emit': { ok: 6, failed: 0 },
    'Line.receive': { ok: 1, failed: 1 },
    'Requests.enter': { ok: 1, failed: 0 },
    'Requests.in': { ok: 2, failed: 0 },
    'Requests.user': { ok: 4, failed: 0 },
    'Upper._flush': { ok: 1, failed: 0 },
    'Upper._transform': { ok: 5, failed: 0 },
    bound: { ok: 1, failed: 0 },
    doubled: { ok: 1, failed: 0 },
    handleEvent: { ok: 1, failed: 0 },
    length: { ok: 2, failed: 0 },
    listener: { ok: 2, failed: 0 },
    microtask: { ok: 1, failed: 0 },
    onPing: { ok: 1, failed: 0 },
    snapshot: { ok: 1, failed: 0 },
    write: { ok: 5, failed: 0 },
  },
})
