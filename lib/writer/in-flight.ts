import { Transcoder } from '../serialize/transcode.js'
import type { StoreWriter } from '../store/insert.js'
import type { InFlightRows, WrittenCall } from '../store/insert-in-flight.js'
import type { LaneView } from './lane.js'
import { type OpenCall, OpenCallsView } from './open-calls.js'

/** A thread is looked at this often at most; a call that is open for longer is written for its own sake. */
const LOOK_INTERVAL_MS = 100
const MATURE_US = LOOK_INTERVAL_MS * 1000
/** The clocks of two threads may differ by a little. */
const ANY_AGE = Number.NEGATIVE_INFINITY
/** Calls that one look adds to the file, of all threads together; the rest waits for the next look. */
const MAX_NEW_ROWS = 512
/** The time of a look that found nothing new is written this often, and only with a batch that is written anyway. */
const SAME_AGAIN_US = 1_000_000

/** What a look changes in what is known of a thread; it holds once the transaction is committed. */
interface Staged {
  readonly written: Map<number, WrittenCall>
  readonly open: number
  readonly lookedUs: number
}

/** What the file says of one thread, and what the last look at it found. */
class LaneLooks {
  readonly lane: LaneView
  readonly #view: OpenCallsView
  readonly #rows: InFlightRows
  /** `null`: the file has not been asked yet. */
  #written: Map<number, WrittenCall> | null = null
  #writtenOpen = -1
  #writtenUs = Number.NEGATIVE_INFINITY
  /** When a call without a clock read was first seen. */
  #firstSeenUs = new Map<number, number>()
  #lastOpen = -1
  #staged: Staged | null = null
  /** Calls of which the open transaction has stored a record. */
  #ended = new Set<number>()

  constructor(lane: LaneView, rows: InFlightRows, transcoder: Transcoder) {
    this.lane = lane
    this.#rows = rows
    this.#view = new OpenCallsView(lane, transcoder)
  }

  /**
   * Whether the file has to be told now: of a call that it has as open and is not, of one that is open for long, or of
   * another number of open calls that has not changed since the last look.
   */
  isNews(nowUs: number): boolean {
    const written = this.#known()
    const calls = this.#look(nowUs, () => false)
    const { open } = this.#view
    const isSteady = open === this.#lastOpen
    this.#lastOpen = open
    if (isSteady && open !== this.#writtenOpen && !(open === 0 && this.#writtenOpen === -1)) return true
    let listed = 0
    for (const call of calls) {
      const before = written.get(call.call)
      if (before !== undefined) listed++
      if (
        before === undefined
          ? nowUs - this.#startedUs(call) >= MATURE_US
          : !isSame(before, this.#asWritten(call, before))
      )
        return true
    }
    return listed < written.size
  }

  /**
   * Writes what has changed; returns how many calls it has added.
   *
   * @param minAgeUs calls that are younger are not added
   */
  write(store: StoreWriter, nowUs: number, maxNew: number, minAgeUs: number): number {
    const before = this.#known()
    const calls = this.#look(nowUs, call => !before.has(call))
    const { open } = this.#view
    const written = new Map<number, WrittenCall>()
    let added = 0
    for (const call of calls) {
      if (this.#ended.has(call.call)) continue
      const known = before.get(call.call)
      const now = this.#asWritten(call, known)
      if (known === undefined) {
        if (added === maxNew || nowUs - now.startedUs < minAgeUs) continue
        added++
      }
      written.set(call.call, now)
      if (known === undefined || !isSame(known, now)) this.#put(store, call, now.startedUs)
    }
    let removed = 0
    for (const call of before.keys()) {
      if (written.has(call)) continue
      removed++
      this.#rows.remove(this.lane.ring, call)
    }
    const isNew = added > 0 || removed > 0 || open !== this.#writtenOpen
    if (isNew || nowUs - this.#writtenUs >= SAME_AGAIN_US) {
      this.#rows.look(this.lane.ring, nowUs, Math.max(open, written.size), written.size)
      this.#staged = { written, open, lookedUs: nowUs }
    } else {
      this.#staged = { written, open, lookedUs: this.#writtenUs }
    }
    return added
  }

  /** The open transaction stores a record of this call. */
  ended(call: number): boolean {
    const known = this.#known()
    // Mostly there are none, and to ask a Map for a number is to hash it.
    if (known.size === 0 || !known.has(call)) return false
    this.#ended.add(call)
    this.#rows.ended(this.lane.ring, call)
    return true
  }

  commit(): void {
    if (this.#staged !== null) {
      this.#written = this.#staged.written
      this.#writtenOpen = this.#staged.open
      this.#writtenUs = this.#staged.lookedUs
    } else if (this.#written !== null) {
      for (const call of this.#ended) this.#written.delete(call)
      this.#writtenOpen = Math.max(0, this.#writtenOpen - this.#ended.size)
    }
    this.rollback()
  }

  rollback(): void {
    this.#staged = null
    if (this.#ended.size > 0) this.#ended = new Set()
  }

  reload(): void {
    this.#written = null
  }

  /** The writer may have been started again, or the file be another one: it says itself what it has. */
  #known(): Map<number, WrittenCall> {
    if (this.#written === null) {
      this.#written = this.#rows.written(this.lane.ring)
      if (this.#writtenOpen === -1 && this.#written.size > 0) this.#writtenOpen = this.#written.size
    }
    return this.#written
  }

  #look(nowUs: number, wants: (call: number) => boolean): OpenCall[] {
    const calls = this.#view.look(wants)
    const firstSeenUs = new Map<number, number>()
    for (const { call, startMs } of calls) {
      if (startMs < 0) firstSeenUs.set(call, this.#firstSeenUs.get(call) ?? nowUs)
    }
    this.#firstSeenUs = firstSeenUs
    return calls
  }

  #startedUs({ call, startMs }: OpenCall): number {
    if (startMs >= 0) return Math.round(this.lane.originUnixUs + startMs * 1000)
    return Math.round(this.#firstSeenUs.get(call) ?? 0)
  }

  /** The file keeps when a call without a clock read was first seen. */
  #asWritten(call: OpenCall, known: WrittenCall | undefined): WrittenCall {
    const { startMs, depth, trace, parent, site } = call
    const timed = startMs >= 0
    const startedUs = timed || known === undefined ? this.#startedUs(call) : known.startedUs
    return { startedUs, timed, depth, trace, parent, site }
  }

  #put(store: StoreWriter, call: OpenCall, startedUs: number): void {
    this.#rows.put(this.lane.ring, {
      call: call.call,
      functionId: store.functionId(this.lane.siteName(call.site)),
      startedUs,
      timed: call.startMs >= 0,
      trace: call.trace,
      parent: call.parent,
      depth: call.depth,
      shape: call.shape,
      args: call.args,
    })
  }
}

/** Whether the file is right. A thenable that the app starts late begins anew, and one look may have been torn. */
function isSame(written: WrittenCall, now: WrittenCall): boolean {
  return (
    written.depth === now.depth &&
    written.startedUs === now.startedUs &&
    written.timed === now.timed &&
    written.trace === now.trace &&
    written.parent === now.parent &&
    (written.site ?? now.site) === now.site
  )
}

/** Keeps the file informed of the calls that have begun and not ended, for one session. */
export class InFlight {
  readonly #store: StoreWriter
  readonly #rows: InFlightRows
  readonly #transcoder = new Transcoder()
  readonly #lanes = new Map<LaneView, LaneLooks>()
  #dueMs = 0
  #isNews = false
  readonly #changed = new Set<LaneLooks>()

  constructor(store: StoreWriter, rows: InFlightRows) {
    this.#store = store
    this.#rows = rows
  }

  /** Whether there is something to write, even if nothing else is. */
  isNews(lanes: Iterable<LaneView>, nowMs: number, nowUs: number): boolean {
    if (nowMs < this.#dueMs) return this.#isNews
    this.#dueMs = nowMs + LOOK_INTERVAL_MS
    this.#isNews = false
    for (const lane of lanes) if (this.#of(lane).isNews(nowUs)) this.#isNews = true
    return this.#isNews
  }

  /**
   * Writes what has changed in these threads, if the time for a look has come. Part of the batch's transaction.
   *
   * @param alone nothing else is in it: then short calls, which soon would have to be taken out again, are left out
   */
  write(lanes: Iterable<LaneView>, nowMs: number, nowUs: number, alone: boolean): void {
    if (nowMs < this.#dueMs && !this.#isNews) return
    this.writeNow(lanes, nowUs, alone ? MATURE_US : ANY_AGE)
    this.#dueMs = nowMs + LOOK_INTERVAL_MS
    this.#isNews = false
  }

  /** As {@link write}, whenever the last look was. */
  writeNow(lanes: Iterable<LaneView>, nowUs: number, minAgeUs = ANY_AGE): void {
    let left = MAX_NEW_ROWS
    for (const lane of lanes) {
      const looks = this.#of(lane)
      this.#changed.add(looks)
      left -= looks.write(this.#store, nowUs, left, minAgeUs)
    }
  }

  /**
   * Whom to tell when the open transaction stores a record of a call of this thread: the call has ended. Otherwise one
   * that ended after the last look would stand in the file as open for ever, should the process die before the next.
   */
  endsOf(lane: LaneView): (call: number) => void {
    return call => {
      const looks = this.#of(lane)
      if (looks.ended(call)) this.#changed.add(looks)
    }
  }

  commit(): void {
    for (const looks of this.#changed) looks.commit()
    this.#changed.clear()
  }

  rollback(): void {
    for (const looks of this.#changed) looks.rollback()
    this.#changed.clear()
    this.#dueMs = 0
  }

  /** Another connection may have deleted rows meanwhile: the file is asked again what it has. */
  reload(): void {
    for (const looks of this.#lanes.values()) looks.reload()
  }

  /** The lane is closed; its rows stay. */
  forget(lane: LaneView): void {
    this.#lanes.delete(lane)
  }

  #of(lane: LaneView): LaneLooks {
    let looks = this.#lanes.get(lane)
    if (looks === undefined)
      this.#lanes.set(lane, (looks = new LaneLooks(lane, this.#rows, this.#transcoder)))
    return looks
  }
}
