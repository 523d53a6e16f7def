import { charCodeAt, mapClear, mapGet, mapSet, mapSize, ownKeys } from './intrinsics.js'

/** What is known about a key, as bits. */
export const KeyTrait = {
  /** The value must not be recorded. */
  secret: 1,
  /** Short ASCII without any secret in it: may be copied as it is. */
  clean: 2,
  /** Holds the value of a pair such as `{ name: 'password', value: … }`. */
  pairValue: 4,
} as const

/** Names that are remembered at a time; then all are forgotten. */
export const MAX_KNOWN_NAMES = 4_096
/** Longest key whose bytes are kept ready: with its header it fills the words of a {@link KnownKey}. */
const READY_UNITS = 15
const STARTS = 16

/** A key of an object, what is known about it, and its bytes, ready to be written. */
export class KnownKey {
  readonly key: string
  /** {@link KeyTrait} bits. */
  readonly traits: number = 0
  /** Whether it may be guessed again: what is not to be remembered must not be linked either. */
  readonly isKept: boolean
  /** Msgpack header and text, in the words below; 0: they have to be written one by one. */
  readonly bytes: number = 0
  // Fields, not a list: a key is written with one load and one store a word. Numbers from the beginning: a field that
  // was undefined first is looked at anew at each use.
  readonly word0: number = 0
  readonly word1: number = 0
  readonly word2: number = 0
  readonly word3: number = 0
  /**
   * The key that followed last time: only a guess, which the one who asks compares. It is one of the same
   * {@link KnownKeys} that was remembered when it was set.
   */
  next: KnownKey

  constructor(key: string, traits: number, isKept: boolean) {
    const units = key.length
    const isReady = isKept && (traits & KeyTrait.clean) !== 0 && units <= READY_UNITS
    this.key = key
    this.traits = traits
    this.isKept = isKept
    this.bytes = isReady ? 1 + units : 0
    this.word0 = isReady ? word(key, 0) : 0
    this.word1 = isReady ? word(key, 4) : 0
    this.word2 = isReady ? word(key, 8) : 0
    this.word3 = isReady ? word(key, 12) : 0
    this.next = this
  }
}

/** Stands where nothing is known to follow. Of another text in each process, for a key of the same text would be hidden there. */
export const NO_KEY = `callsight: no key ${Math.random()}`

/** The four bytes at `at` of a short ASCII string as msgpack writes it, lowest first; zeros behind its end. */
function word(key: string, at: number): number {
  let bits = 0
  for (let i = 3; i >= 0; i--) {
    const unit = at + i - 1
    const byte = unit < 0 ? 0xa0 | key.length : unit < key.length ? charCodeAt(key, unit) : 0
    bits = (bits << 8) | byte
  }
  return bits
}

/**
 * The keys that were seen under one set of rules, at most {@link MAX_KNOWN_NAMES}. Objects of one kind list the same keys
 * in the same order, so a walk compares each key with the one that came behind its forerunner last time, which
 * costs a tenth of looking it up.
 */
export class KnownKeys {
  readonly #keys = new Map<string, KnownKey>()
  // Filled: a hole would look for a setter on a polluted Array.prototype.
  readonly #starts = new Array<KnownKey>(STARTS).fill(new KnownKey('', KeyTrait.secret, false))

  constructor() {
    this.#forget()
  }

  get(key: string): KnownKey | undefined {
    return mapGet(this.#keys, key)
  }

  /** Its `next` is the guess for the first key of an object with so many keys at this place of a record. */
  start(position: number, level: number, keys: number): KnownKey {
    return this.#starts[(3 * position + 5 * level + keys) & (STARTS - 1)] as KnownKey
  }

  remember(key: string, traits: number): KnownKey {
    if (mapSize(this.#keys) >= MAX_KNOWN_NAMES) this.#forget()
    const known = new KnownKey(interned(key), traits, true)
    mapSet(this.#keys, known.key, known)
    return known
  }

  // Also where the guesses begin: what is forgotten is reached from nowhere any more, however its keys were linked.
  #forget(): void {
    mapClear(this.#keys)
    // Not one for all rules: behind a key with its text it is linked to what is known under these.
    const nothing = new KnownKey(NO_KEY, KeyTrait.secret, false)
    for (let i = 0; i < STARTS; i++) {
      const start = new KnownKey('', KeyTrait.secret, false)
      start.next = nothing
      this.#starts[i] = start
    }
  }
}

/** A copy, since a piece of a longer text would keep all of that alive; the engine compares it by address with keys of objects. */
export function interned(name: string): string {
  let copy = ''
  for (let i = 0; i < name.length; i++) copy += name[i]
  const holder = { __proto__: null, [copy]: 0 }
  return ownKeys(holder)[0] as string
}
