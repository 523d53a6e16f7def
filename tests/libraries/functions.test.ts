import { describeLibrary } from './library.js'

describeLibrary({
  name: 'functions',
  dialects: ['standard', 'legacy'],
  ends: {
    Old: { ok: 5, failed: 1 },
    'Point.[Symbol.hasInstance]': { ok: 2, failed: 0 },
    'Point.[Symbol.toPrimitive]': { ok: 11, failed: 0 },
    'Point.[nodejs.util.inspect.custom]': { ok: 1, failed: 0 },
    'Point.at': { ok: 10, failed: 0 },
    'Point.compare': { ok: 2, failed: 0 },
    'Point.fail': { ok: 0, failed: 3 },
    'Point.failLater': { ok: 0, failed: 2 },
    'Point.get length': { ok: 11, failed: 0 },
    'Point.plus': { ok: 9, failed: 1 },
    'Point.rethrow': { ok: 0, failed: 2 },
    'Point.rethrowLater': { ok: 0, failed: 1 },
    'Point.toJSON': { ok: 3, failed: 0 },
    'Point.toString': { ok: 12, failed: 0 },
    'Point.valueOf': { ok: 4, failed: 0 },
    double: { ok: 4, failed: 0 },
    inner: { ok: 1, failed: 0 },
    revive: { ok: 4, failed: 0 },
    shout: { ok: 2, failed: 0 },
    sum: { ok: 3, failed: 0 },
    tag: { ok: 1, failed: 0 },
  },
})
