import { spawn } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { encode } from '@msgpack/msgpack'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { writeFrameHeader } from '../../lib/queue/frame.js'
import { Journal } from '../../lib/queue/journal.js'
import { Frame, FrameFlag, FrameKind, Lane } from '../../lib/queue/layout.js'
import { imbalances, readStore } from '../support/store-account.js'
import { expectErrorsKept, Scene } from './harness.js'

let scene: Scene
beforeEach(() => {
  scene = new Scene()
})
afterEach(() => scene.dispose())

function edit<T>(work: (db: Database.Database) => T): T {
  const db = new Database(scene.store)
  try {
    return work(db)
  } finally {
    db.close()
  }
}

/** A process that stored everything and was killed: its journal stays, with errors that are all in the store. */
async function killed(): Promise<number> {
  const victim = scene.start({ calls: 40, ending: 'block' })
  await victim.says('blocked')
  await scene.untilStored(40)
  victim.child.kill('SIGKILL')
  await victim.ended
  expect(scene.journals()).toHaveLength(1)
  return scene.seen().errors.length
}

describe('taking over what a dead process left', () => {
  it('errors that retention has deleted meanwhile do not come back and are not counted again', async () => {
    const errors = await killed()
    edit(db => {
      const upTo = db.prepare('SELECT max(id >> 11) FROM errors').pluck().get()
      db.prepare("INSERT INTO expired VALUES ('errors', ?, ?)").run(errors, upTo)
      expect(db.prepare('DELETE FROM errors').run().changes).toBe(errors)
    })
    const account = await scene.recover()
    expect(account.errors).toEqual([])
    expect(imbalances(account)).toEqual(account.lanes.map(() => 0))
  })

  it('a process is settled although its pid is somebody else by now, as in a container', async () => {
    await killed()
    // Start times are known to the second only, and half a second more is left between the two.
    await new Promise(resolve => setTimeout(resolve, 3_000))
    const other = spawn('sleep', ['60'])
    try {
      edit(db => {
        db.prepare('UPDATE processes SET pid = ?').run(other.pid)
        db.exec('UPDATE lanes SET produced = produced + 3')
      })
      const account = await scene.recover()
      expect(account.lanes.flatMap(({ dropped }) => dropped['writer_lost'] ?? [])).toEqual([3, 3])
      expect(imbalances(account)).toEqual(account.lanes.map(() => 0))
    } finally {
      other.kill()
    }
  })

  it('a process that ended well is settled although the journals that told of more are gone already', async () => {
    await scene.run({ calls: 40, ending: 'shutdown' })
    // Their entries were taken over by a process that ended before it came to the account.
    edit(db => db.exec('UPDATE lanes SET produced = produced + 3'))
    const account = await scene.recover()
    expect(account.lanes.flatMap(({ dropped }) => dropped['writer_lost'] ?? [])).toEqual([3, 3])
    expect(imbalances(account)).toEqual(account.lanes.map(() => 0))
    expect(account.lanes.map(({ ending }) => ending)).not.toContain('lost')
  })

  it('a call that SQLite refuses is counted as poison, and the others are stored', async () => {
    const boot = '00000000000000bb'
    const journal = new Journal(
      scene.store,
      // No process has this number: the journal is a dead one's.
      { boot, ring: 0, pid: 2 ** 30, startTicks: 1, originUnixUs: Date.now() * 1000 },
      () => 'gone',
      4_096,
    )
    for (let seq = 1; seq <= 5; seq++) {
      const frame = new DataView(new ArrayBuffer(80))
      frame.setUint32(Frame.SIZE, 80, true)
      frame.setUint32(Frame.META, FrameKind.record, true)
      frame.setFloat64(Frame.SEQ, seq, true)
      // A call number that is no integer does not fit its column.
      frame.setFloat64(Frame.CALL, seq === 3 ? 3.5 : seq, true)
      frame.setFloat64(Frame.TRACE, seq, true)
      frame.setFloat64(Frame.WEIGHT, 1, true)
      frame.setUint32(Frame.PAYLOAD_BYTES, 4, true)
      new Uint8Array(frame.buffer).set([0x93, 0xc0, 0xc0, 0xc0], Frame.HEADER_BYTES)
      expect(journal.appendCopy(new Uint8Array(frame.buffer), 0, 5)).toBe(true)
    }
    journal.close()
    const account = await scene.recover()
    expect(account.lanes.find(row => row.boot === boot && row.lane === 0)).toMatchObject({
      produced: 5,
      stored: 4,
      dropped: { poison: 1 },
    })
    expect(imbalances(account)).toEqual(account.lanes.map(() => 0))
  })

  it('calls kept in hindsight and traces from outside, in the journal of a dead process', async () => {
    const boot = '00000000000000cc'
    const journal = new Journal(
      scene.store,
      { boot, ring: 0, pid: 2 ** 30, startTicks: 1, originUnixUs: Date.now() * 1000 },
      () => 'gone',
      4_096,
    )
    const ids = Buffer.from('0af7651916cd43dd8448eb211c80319c00f067aa0ba902b7', 'hex')
    const thrown = encode([null, null, { type: 'Refused', message: 'no' }])
    const frames = [
      { lane: Lane.calls, flags: FrameFlag.hindsight, payload: new Uint8Array(0), seq: 1, weight: 0 },
      // Cut off: says that ids follow, and has no room for them.
      {
        lane: Lane.calls,
        flags: FrameFlag.remote | FrameFlag.hindsight,
        payload: new Uint8Array(0),
        seq: 2,
        weight: 0,
      },
      { lane: Lane.errors, flags: FrameFlag.remote | FrameFlag.error, payload: thrown, seq: 1, weight: 1 },
    ]
    for (const { lane, flags, payload, seq, weight } of frames) {
      const behind = seq === 2 ? new Uint8Array(0) : ids
      const bytes = (Frame.HEADER_BYTES + payload.byteLength + behind.byteLength + 7) & ~7
      const memory = new SharedArrayBuffer(bytes)
      const call = { startMs: 1, durationMs: 2, call: lane * 10 + seq, trace: -7, parent: 0 }
      const all = flags | FrameFlag.remote
      const written = { ...call, flags: all }
      writeFrameHeader(
        new Uint32Array(memory),
        new Float64Array(memory),
        0,
        bytes,
        lane,
        written,
        seq,
        weight,
        0,
        payload.byteLength,
      )
      new Uint8Array(memory).set(payload, Frame.HEADER_BYTES)
      new Uint8Array(memory).set(behind, Frame.HEADER_BYTES + payload.byteLength)
      expect(journal.appendCopy(new Uint8Array(memory).slice(), 0, 2)).toBe(true)
    }
    journal.close()
    const account = await scene.recover()
    expect(imbalances(account)).toEqual(account.lanes.map(() => 0))
    expect(account.lanes.filter(row => row.boot === boot)).toMatchObject([
      { lane: 0, produced: 2, stored: 1, dropped: { poison: 1 } },
      { lane: 1, produced: 1, stored: 1, dropped: {} },
    ])
    const seen = edit(db =>
      db
        .prepare(
          "SELECT outcome, recorded, trace_id, args, weight FROM recent_calls WHERE function = 'gone' ORDER BY outcome",
        )
        .all(),
    )
    const outside = { trace_id: '0af7651916cd43dd8448eb211c80319c', args: null }
    expect(seen).toEqual([
      { outcome: 'error', recorded: 'error', weight: 1, ...outside },
      { outcome: 'ok', recorded: 'hindsight', weight: 0, ...outside },
    ])
  })

  it('a journal whose owner has not written its header yet is left to it', async () => {
    mkdirSync(dirname(scene.store), { recursive: true })
    const young = `${scene.store}.errors-00000000000000aa-0-1`
    writeFileSync(young, '')
    await scene.run({ calls: 40, ending: 'flush' })
    expect(existsSync(young)).toBe(true)
    expectErrorsKept(scene, readStore(scene.store))
  })

  it('one that cannot be read keeps neither the others nor the store waiting', async () => {
    await killed()
    const [name = ''] = scene.journals()
    const folder = dirname(scene.store)
    // Sorts before the others: a folder with the name of a journal.
    mkdirSync(join(folder, `${basename(scene.store)}.errors-00000000000000aa-0-0`))
    copyFileSync(join(folder, name), join(folder, `${basename(scene.store)}.errors-00000000000000bb-0-1`))
    edit(db => db.exec('DELETE FROM errors'))
    await scene.run({ calls: 40, pauseMs: 50, chunk: 4, ending: 'shutdown' }, { truth: false })
    expect(readdirSync(folder).filter(file => file.includes('.errors-'))).toHaveLength(1)
    const seen = new Set(readStore(scene.store).errors)
    expect(scene.seen().errors.filter(n => !seen.has(n))).toEqual([])
  })

  it('recorders of programs that repeat their random numbers are told apart', async () => {
    const same = ['--import', 'data:text/javascript,Math.random = () => 0.25']
    await scene.run({ calls: 40 }, { nodeArgs: same, truth: false })
    await scene.run({ calls: 40 }, { nodeArgs: same, truth: false })
    const account = await scene.recover()
    expect(account.errors).toHaveLength(20)
    expect(account.calls).toHaveLength(60)
  })
})
