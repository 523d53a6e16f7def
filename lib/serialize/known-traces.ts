import { stringSlice } from './intrinsics.js'
import { markAssignments } from './secret-assignments.js'
import type { NameJudge } from './secret-name-in-text.js'
import { fillScratch, MAX_WINDOW_UNITS, scratch, screen, screenScratch, Trait } from './secret-screen.js'
import { asciiSeparators } from './secret-separators.js'
import { Spans } from './secret-spans.js'
import { scrub } from './secret-text.js'

/** Where the trace of a stack begins, behind the message of its error. */
export const TRACE_BEGINS = '\n    at '
/** A power of two. */
const TRACES = 64
/** Two traces of one length that differ in none of so many places are taken for one until they are compared. */
const SAMPLES = 16
const DASH = 45
const spans = new Spans()

/**
 * Errors are thrown at the same places again and again, so the lines of their stacks are mostly known. A trace that
 * was searched by itself and held no secret, and no name of one, holds none behind any message either, under three
 * conditions; so only the message is searched then. Why that is the same:
 *
 * - What is marked begins in the message or in the trace. The trace begins with a line feed. No name, no prefix of a token
 *   and no run of digits goes across one, and no rule looks further back than its line, but for two: pairs of a name and
 *   a value, which {@link markAssignments} answers for, and the first character of the text, which is asked for when a name is secret.
 * - The places of the message at which an assignment can begin are looked at in the whole text, into which its value may go on.
 * - A token of the message has a part of its prefix in the message, as has a phrase. A flag has a dash, and is looked for
 *   where there is any such part, also when that stands in the trace.
 */
export class KnownTraces {
  readonly #names: NameJudge
  // Filled: a hole would look for a setter on a polluted Array.prototype.
  readonly #traces = new Array<string>(TRACES).fill('')
  /** {@link Trait} bits of the trace. */
  readonly #traits = new Uint8Array(TRACES)
  /** What was seen once is not worth a search of its own, nor is what was found not to be plain. */
  readonly #seen = new Int32Array(TRACES)
  readonly #refused = new Int32Array(TRACES)

  constructor(names: NameJudge) {
    this.#names = names
  }

  /** Whether a stack is ASCII, its trace begins at `at` and is known, and there is no secret in all of it. */
  isPlain(stack: string, at: number): boolean {
    const length = stack.length
    if (length > MAX_WINDOW_UNITS || !fillScratch(stack, length)) return false
    const trace = stringSlice(stack, at)
    const signature = sign(at, length)
    const slot = signature & (TRACES - 1)
    if (this.#traces[slot] !== trace) {
      const isSeen = this.#seen[slot] === signature
      this.#seen[slot] = signature
      if (!isSeen || this.#refused[slot] === signature || !this.#learn(slot, signature, trace)) return false
      fillScratch(stack, length)
    }
    return this.#isPlainMessage(stack, at, this.#traits[slot] as number)
  }

  #learn(slot: number, signature: number, trace: string): boolean {
    const traits = screen(trace, trace.length) | Trait.assignment
    const names = new Listener(this.#names)
    if (scrub(trace, traits, trace.length, false, names) !== null || names.hasHeard) {
      this.#refused[slot] = signature
      return false
    }
    // A piece of the stack would keep all of that alive, with the message.
    this.#traces[slot] = stringSlice(` ${trace}`, 1)
    this.#traits[slot] = traits
    return true
  }

  #isPlainMessage(stack: string, length: number, traceTraits: number): boolean {
    const traits = screenScratch(length)
    if ((traits & (Trait.token | Trait.digits)) !== 0) return false
    if ((traceTraits & Trait.token) !== 0)
      for (let i = 0; i < length; i++) if (scratch[i] === DASH) return false
    const found = asciiSeparators(length)
    if (found === 0) return true
    spans.clear()
    return markAssignments(stack, found, false, this.#names, spans) && spans.count === 0
  }
}

/** Says of a search whether a secret name was met. */
class Listener implements NameJudge {
  readonly #names: NameJudge
  hasHeard = false

  constructor(names: NameJudge) {
    this.#names = names
  }

  isSecretName(text: string): boolean {
    const isSecret = this.#names.isSecretName(text)
    if (isSecret) this.hasHeard = true
    return isSecret
  }

  isWholeLineName(text: string): boolean {
    return this.#names.isWholeLineName(text)
  }
}

/** A number by which a trace is looked up, from some bytes of {@link scratch}. */
function sign(from: number, end: number): number {
  const step = (end - from) / SAMPLES
  let hash = end - from
  for (let i = 0, at = end - 1; i < SAMPLES; i++, at -= step)
    hash = ((hash << 5) - hash + (scratch[at | 0] as number)) | 0
  return hash ^ (hash >>> 16)
}
