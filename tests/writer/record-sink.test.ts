import { ExtData, encode } from '@msgpack/msgpack'
import { describe, expect, it } from 'vitest'
import { writeFrameHeader } from '../../lib/queue/frame.js'
import { Frame, FrameFlag, Lane, REMOTE_TRACE_BYTES } from '../../lib/queue/layout.js'
import { Transcoder } from '../../lib/serialize/transcode.js'
import { BadFrameError, RecordSink } from '../../lib/writer/record-sink.js'
import { all, registerProcess, T0_US, tempStore } from '../store/temp-store.js'

const IDS = '0af7651916cd43dd8448eb211c80319c00f067aa0ba902b7'
const AT = 64

interface FrameSeed {
  lane?: Lane
  payload?: Uint8Array
  flags?: number
  trace?: number
  parent?: number
  weight?: number
  seq?: number
  /** What stands behind the payload. */
  ids?: string
  frameBytes?: number
}

/** One frame in shared memory, as both the ring and the journal hold it. */
function frameOf(seed: FrameSeed) {
  const payload = seed.payload ?? encode([['a'], null, 'b'])
  const ids = Buffer.from(seed.ids ?? '', 'hex')
  const frameBytes = seed.frameBytes ?? (Frame.HEADER_BYTES + payload.byteLength + ids.byteLength + 7) & ~7
  const memory = new SharedArrayBuffer(AT + frameBytes + 64)
  const bytes = new Uint8Array(memory)
  writeFrameHeader(
    new Uint32Array(memory),
    new Float64Array(memory),
    AT,
    frameBytes,
    seed.lane ?? Lane.calls,
    {
      startMs: 1,
      durationMs: 2,
      call: 100,
      trace: seed.trace ?? 100,
      parent: seed.parent ?? 0,
      flags: seed.flags ?? 0,
    },
    seed.seq ?? 1,
    seed.weight ?? 1,
    0,
    payload.byteLength,
  )
  bytes.set(payload, AT + Frame.HEADER_BYTES)
  bytes.set(ids, AT + Frame.HEADER_BYTES + payload.byteLength)
  return { bytes, view: new DataView(memory) }
}

function newSink() {
  const { db, writer } = tempStore()
  writer.begin()
  const processId = registerProcess(writer)
  const origin = { processId, ring: 0, originUnixUs: T0_US, siteName: () => 'Orders.place' }
  const sink = new RecordSink(writer, new Transcoder())
  return {
    db,
    call(seed: FrameSeed) {
      const { bytes, view } = frameOf(seed)
      sink.call(origin, bytes, view, AT)
    },
    error(seed: FrameSeed) {
      const { bytes, view } = frameOf({ ...seed, lane: Lane.errors })
      return sink.error(origin, bytes, view, AT)
    },
    commit() {
      writer.flushRows()
      writer.commit()
    },
  }
}

const calls = 'SELECT shape, args, result, weight, recorded, trace_id, parent_id FROM recent_calls'
const LOCAL = { trace_id: '00000000000000aa0000000000000064', parent_id: null }

describe('the payload of a call', () => {
  it.each([
    ['arguments, shape and result', encode([[1], null, 'b']), '[1]', '"b"'],
    ['nothing of the arguments', encode([null, null, 'b']), null, '"b"'],
  ])('may hold %s', (_, payload, args, result) => {
    const { db, call, commit } = newSink()
    call({ payload })
    commit()
    expect(all(db, calls)).toEqual([{ shape: null, args, result, weight: 1, recorded: 'sampled', ...LOCAL }])
  })

  it('keeps the shape apart from the values around it', () => {
    const { db, call, error, commit } = newSink()
    const shape = [['array', 500], ['Order', 5], 'number']
    call({ payload: encode([['x'], shape, 'y']) })
    error({ payload: encode([null, shape, { type: 'E', message: 'm' }]) })
    commit()
    const text = JSON.stringify(shape)
    expect(all(db, 'SELECT shape, args, result FROM recent_calls ORDER BY outcome')).toEqual([
      { shape: text, args: null, result: null },
      { shape: text, args: '["x"]', result: '"y"' },
    ])
    expect(all(db, 'SELECT shape, error, message FROM recent_errors')).toEqual([
      { shape: text, error: 'E', message: 'm' },
    ])
  })

  it.each([
    ['one value', encode([1])],
    ['four values', encode([1, 2, 3, 4])],
    ['no array', encode('text')],
    ['an array that ends early', encode([[1], null, 'b']).subarray(0, 3)],
    ['nothing', new Uint8Array(0)],
  ])('is refused when it is %s', (_, payload) => {
    const { call, error } = newSink()
    expect(() => call({ payload })).toThrow()
    expect(() => error({ payload })).toThrow()
  })
})

describe('a call kept in hindsight', () => {
  it.each([
    ['no payload', new Uint8Array(0)],
    ['three times nothing', encode([null, null, null])],
  ])('with %s is stored with weight 0 and no values', (_, payload) => {
    const { db, call, commit } = newSink()
    call({ payload, flags: FrameFlag.hindsight, weight: 0 })
    commit()
    expect(all(db, calls)).toEqual([
      { shape: null, args: null, result: null, weight: 0, recorded: 'hindsight', ...LOCAL },
    ])
  })

  it('leaves what the weights of the others add up to as it is', () => {
    const { db, call, commit } = newSink()
    call({ weight: 1000 })
    for (let seq = 2; seq < 20; seq++)
      call({ payload: new Uint8Array(0), flags: FrameFlag.hindsight, weight: 0, seq })
    commit()
    expect(all(db, 'SELECT sum(weight) AS calls, count(*) AS records FROM recent_calls')).toEqual([
      { calls: 1000, records: 19 },
    ])
  })
})

describe('a record of a trace from outside', () => {
  const remote = { flags: FrameFlag.remote, trace: -7, ids: IDS }
  const outside = { trace_id: IDS.slice(0, 32), parent_id: IDS.slice(32) }

  it.each([0, 1, 2, 3, 4, 5, 6, 7])('has its ids directly behind a payload of any length: +%i', extra => {
    const { db, call, error, commit } = newSink()
    call({ ...remote, payload: encode([['x'.repeat(extra)], null, null]) })
    const thrown = { type: 'E', message: 'x'.repeat(extra) }
    expect(error({ ...remote, trace: -8, payload: encode([null, null, thrown]) })).toBe(true)
    commit()
    expect(all(db, 'SELECT trace_id, parent_id FROM recent_calls')).toEqual([outside, outside])
    expect(all(db, 'SELECT trace, seen_us FROM remote_traces')).toEqual([
      { trace: -8, seen_us: T0_US + 3_000 },
      { trace: -7, seen_us: T0_US + 3_000 },
    ])
  })

  it('may have been kept in hindsight', () => {
    const { db, call, commit } = newSink()
    call({
      ...remote,
      flags: remote.flags | FrameFlag.hindsight,
      payload: new Uint8Array(0),
      weight: 0,
      parent: 99,
    })
    commit()
    expect(all(db, 'SELECT recorded, trace_id, parent_id FROM recent_calls')).toEqual([
      { recorded: 'hindsight', trace_id: outside.trace_id, parent_id: '0000000000000063' },
    ])
  })

  it.each([
    ['whose number is not negative', { trace: 7 }],
    ['whose number is 0', { trace: 0 }],
    ['whose number is none', { trace: Number.NaN }],
    ['whose number is no whole one', { trace: -1.5 }],
    [
      'whose ids do not fit into the frame',
      { ids: IDS.slice(2), payload: encode(['1234', null, 5]), frameBytes: 96 },
    ],
  ])('is refused %s, and nothing is written of it', (_, wrong) => {
    const { db, call, error, commit } = newSink()
    expect(() => call({ ...remote, ...wrong })).toThrow(BadFrameError)
    expect(() => error({ ...remote, payload: encode([null, null, {}]), ...wrong })).toThrow(BadFrameError)
    commit()
    expect(all(db, 'SELECT 1 FROM remote_traces')).toEqual([])
    expect(all(db, 'SELECT 1 FROM recent_calls')).toEqual([])
  })

  it('takes as many bytes as the layout says', () => {
    expect(IDS.length).toBe(2 * REMOTE_TRACE_BYTES)
  })
})

describe('frames that were damaged', () => {
  it('are stored or refused as such, one by one, whatever was changed in them', () => {
    const { db, writer } = tempStore()
    writer.begin()
    const processId = registerProcess(writer)
    const origin = { processId, ring: 0, originUnixUs: T0_US, siteName: () => 'Orders.place' }
    const sink = new RecordSink(writer, new Transcoder())
    let state = 12_345
    const random = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
      return Math.floor((state / 2 ** 32) * below)
    }
    const shape = new ExtData(4, new Uint8Array([2, 1, 3, 0x80, 0x01, 6]))
    const payloads = [
      encode([[{ a: [1, 'x'] }], null, 'y']),
      encode([
        ['x', new ExtData(1, new Uint8Array([2, 5]))],
        shape,
        { type: 'E', message: 'm', details: { a: 1 } },
      ]),
      encode([[new ExtData(2, new Uint8Array([1, 3, 65, 66]))], null, null]),
    ]
    let stored = 0
    let refused = 0
    for (let i = 0; i < 20_000; i++) {
      const seed: FrameSeed = { payload: payloads[i % 3] as Uint8Array, seq: i + 1, ids: IDS }
      const { bytes, view } = frameOf({ ...seed, lane: i % 2 === 0 ? Lane.calls : Lane.errors })
      const length = Frame.HEADER_BYTES + (payloads[i % 3] as Uint8Array).byteLength
      for (let changes = 1 + random(4); changes > 0; changes--) {
        // One in three in the header: sizes, flags, times, numbers.
        const at = random(3) === 0 ? random(Frame.HEADER_BYTES) : random(length)
        bytes[AT + at] =
          random(2) === 0 ? random(256) : ([0, 255, 0xc7, 0xc8, 0xdd, 0xdf][random(6)] as number)
      }
      try {
        if (i % 2 === 0) sink.call(origin, bytes, view, AT)
        else sink.error(origin, bytes, view, AT)
        stored++
      } catch (error) {
        const name = (error as Error).name
        if (!['BadFrameError', 'MalformedPayloadError', 'BadRowError'].includes(name)) throw error
        refused++
      }
    }
    writer.flushRows()
    writer.commit()
    expect(stored).toBeGreaterThan(1_000)
    expect(refused).toBeGreaterThan(1_000)
    const texts = ['args', 'shape', 'result', 'details', 'cuts']
    for (const column of texts) {
      const table = column === 'result' ? 'calls' : 'errors'
      const bad = `SELECT count(*) AS bad FROM ${table} WHERE ${column} IS NOT NULL AND NOT json_valid(${column})`
      expect(all(db, bad)).toEqual([{ bad: 0 }])
    }
    expect(all(db, 'PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }])
  })
})
