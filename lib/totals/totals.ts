import { mappedMemory } from '../queue/mapped-memory.js'
import {
  BLOCK_BYTES,
  Block,
  BUCKET_BASE,
  BUCKET_COUNT,
  BUCKET_SHIFT,
  HEADER_BYTES,
  MAX_SITES,
  MAX_SLOT_I32,
  NAME_MAX_BYTES,
  SITE_COUNT_I32,
  totalsBytes,
} from './layout.js'

const durationF64 = new Float64Array(new ArrayBuffer(8))
const endedF64 = new Float64Array(1)
const durationU32 = new Uint32Array(durationF64.buffer)
const highWord = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1 ? 1 : 0

// What a module imports is read anew at each use; these are a part of the compiled code.
const FIRST_WORD = HEADER_BYTES >>> 2
const BLOCK_WORDS = BLOCK_BYTES >>> 2
const ERRORS = Block.ERRORS >>> 2
const BEGUN = Block.BEGUN >>> 2
const KEPT = Block.KEPT >>> 2
const TIMED = Block.TIMED >>> 2
const BUCKETS = Block.BUCKETS >>> 2
/** The maxima stand behind it. */
const DURATION_SUM = Block.DURATION_SUM >>> 3
const MAX_SLOT = MAX_SLOT_I32
const SHIFT = BUCKET_SHIFT
const BASE = BUCKET_BASE
const COUNT = BUCKET_COUNT

/** The latency bucket of a duration. */
export function bucketOf(durationNs: number): number {
  durationF64[0] = durationNs
  const bucket = (durationU32[highWord] >>> BUCKET_SHIFT) - BUCKET_BASE
  return bucket < 0 ? 0 : bucket >= BUCKET_COUNT ? BUCKET_COUNT - 1 : bucket
}

/** Sites beyond the directory share this one, so that their calls are still counted. */
const OVERFLOW_NAME = '(other call sites)'

/** The producer's side of the totals of one thread: registers call sites and counts every call. */
export class Totals {
  readonly memory: SharedArrayBuffer
  readonly #i32: Int32Array
  readonly #u32: Uint32Array
  readonly #f64: Float64Array
  readonly #bytes: Uint8Array
  readonly #names: string[] = []
  readonly #siteOfName = new Map<string, number>()
  readonly #maxSites: number

  constructor(maxSites: number = MAX_SITES) {
    this.#maxSites = maxSites
    // Reserved, not used: the system gives a page its memory when it is first written.
    this.memory = mappedMemory(totalsBytes(maxSites))
    this.#i32 = new Int32Array(this.memory)
    this.#u32 = new Uint32Array(this.memory)
    this.#f64 = new Float64Array(this.memory)
    this.#bytes = new Uint8Array(this.memory)
  }

  get siteCount(): number {
    return this.#names.length
  }

  /**
   * The number of a call site in the directory. Functions of one name share it, as they share a row of the store:
   * a program that wraps the same function again and again does not fill the directory.
   */
  register(name: string): number {
    const known = this.#siteOfName.get(name)
    if (known !== undefined) return known
    const site = this.#names.length
    if (site >= this.#maxSites) return this.#maxSites - 1
    const stored = site === this.#maxSites - 1 ? OVERFLOW_NAME : name
    const encoded = encodeName(stored)
    const base = HEADER_BYTES + site * BLOCK_BYTES
    this.#bytes.set(encoded, base + Block.NAME)
    this.#bytes[base + Block.NAME_BYTES] = encoded.length & 0xff
    this.#bytes[base + Block.NAME_BYTES + 1] = encoded.length >>> 8
    // As the writer reads it: a record that comes by the journal belongs to the same function.
    this.#names.push(encoded.toString('utf8'))
    this.#siteOfName.set(stored, site)
    // Whoever sees the new count sees a complete block.
    Atomics.store(this.#i32, SITE_COUNT_I32, site + 1)
    return site
  }

  name(site: number): string {
    return this.#names[site]
  }

  /** A call began. */
  begin(site: number): void {
    this.#u32[FIRST_WORD + site * BLOCK_WORDS + BEGUN]++
  }

  /** A call ended that was not timed, and has not failed. */
  count(site: number): void {
    this.#u32[FIRST_WORD + site * BLOCK_WORDS]++
  }

  /**
   * A call ended that was timed, and has not failed.
   *
   * @param durationMs one word: a number that is handed to a function becomes an object where that is not inlined
   */
  time(site: number, durationMs: Float64Array): void {
    const u32 = this.#u32
    const word = FIRST_WORD + site * BLOCK_WORDS
    u32[word]++
    u32[word + TIMED]++
    const ms = durationMs[0]
    const f64 = this.#f64
    const double = (word >>> 1) + DURATION_SUM
    f64[double] += ms
    const max = double + 1 + (u32[MAX_SLOT] & 1)
    if (ms > f64[max]) f64[max] = ms
    // As bucketOf: at the end of the stack no call may stand between one counter and the next.
    durationF64[0] = ms * 1e6
    const bucket = (durationU32[highWord] >>> SHIFT) - BASE
    u32[word + BUCKETS + (bucket < 0 ? 0 : bucket < COUNT ? bucket : COUNT - 1)]++
  }

  /** A call ended; `durationMs < 0`: it was not timed. */
  end(site: number, durationMs: number, failed: boolean): void {
    if (durationMs < 0) {
      this.count(site)
    } else {
      endedF64[0] = durationMs
      this.time(site, endedF64)
    }
    if (failed) this.#u32[FIRST_WORD + site * BLOCK_WORDS + ERRORS]++
  }

  /** A record was produced. */
  keep(site: number): void {
    this.#u32[FIRST_WORD + site * BLOCK_WORDS + KEPT]++
  }

  /** A record of the call lane was produced, and dropped at once. */
  keepNone(site: number, reason: number): void {
    const word = (HEADER_BYTES + site * BLOCK_BYTES) >>> 2
    this.#u32[word + (Block.KEPT >>> 2)]++
    this.#u32[word + (Block.DROPS >>> 2) + reason]++
  }

  /** A record of the call lane was dropped. */
  drop(site: number, reason: number): void {
    this.#u32[((HEADER_BYTES + site * BLOCK_BYTES + Block.DROPS) >>> 2) + reason]++
  }

  /** A record of the error lane was dropped. */
  dropError(site: number, reason: number): void {
    this.#u32[((HEADER_BYTES + site * BLOCK_BYTES + Block.ERROR_DROPS) >>> 2) + reason]++
  }

  /** Calls that ended so far, for a look at one site without the store. */
  counts(site: number): { calls: number; errors: number; begun: number } {
    const word = (HEADER_BYTES + site * BLOCK_BYTES) >>> 2
    return { calls: this.#u32[word], errors: this.#u32[word + 1], begun: this.#u32[word + 2] }
  }
}

function encodeName(name: string): Buffer {
  const encoded = Buffer.from(name, 'utf8')
  if (encoded.length <= NAME_MAX_BYTES) return encoded
  let end = NAME_MAX_BYTES - 3
  // Never cut inside a character: continuation bytes start with the bits 10.
  while (end > 0 && (encoded[end] & 0xc0) === 0x80) end--
  return Buffer.concat([encoded.subarray(0, end), Buffer.from('…', 'utf8')])
}
