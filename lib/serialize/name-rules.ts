import type { RedactContext, RedactPredicate } from '../config/options.js'
import {
  charCodeAt,
  execRegExp,
  indexOf,
  isPromise,
  mapClear,
  mapGet,
  mapSet,
  mapSize,
  min,
  normalize,
  promiseThen,
  regexpFlags,
  regexpSource,
  setHas,
  stringSlice,
  toLowerCase,
} from './intrinsics.js'
import { interned, KeyTrait, KnownKey, KnownKeys, MAX_KNOWN_NAMES } from './known-keys.js'
import { KnownTraces } from './known-traces.js'
import { PROTO_KEY } from './markers.js'
import { SECRET_NAMES, SECRET_PARTS, WHOLE_LINE_NAMES } from './secret-names.js'
import { SHORT_UNITS, screen, Trait } from './secret-screen.js'
import { scrub } from './secret-text.js'

interface Lists {
  readonly keys: readonly string[]
  readonly patterns: readonly RegExp[]
  readonly allow: readonly string[]
  readonly when: RedactPredicate | null
  readonly callSite: string
}

const MAX_CACHED_UNITS = 64
/** A power of two. */
const RECENT_WORDS = 64
/** Equal to no text that is looked for, which has two units. */
const NO_WORD = new KnownKey('', 0, false)
/** Longer names are judged by their beginning. */
const MAX_JUDGED_UNITS = 256
const PAIR_VALUE_NAMES: ReadonlySet<string> = new Set([
  'value',
  'values',
  'val',
  'content',
  'data',
  'received',
  'input',
  'args',
])
/** What holds the name in a pair such as `{ name: 'password', value: … }`. */
export const PAIR_NAMES = [
  'name',
  'key',
  'header',
  'field',
  'fieldName',
  'path',
  'instancePath',
  'property',
  'param',
  'label',
] as const

/** The lists of one configuration with what was learned about the names seen so far. */
export class NameRules {
  /** By predicate (this class, where there is none), then by everything else. */
  static readonly #known = new WeakMap<object, Map<string, NameRules>>()

  readonly #exact: ReadonlySet<string>
  readonly #allowed: ReadonlySet<string>
  readonly #patterns: readonly RegExp[]
  readonly #when: RedactPredicate | null
  readonly #where: RedactContext
  readonly keys = new KnownKeys()
  /** The traces of stacks that were seen under these rules. */
  readonly traces = new KnownTraces(this)
  readonly #words = new Map<string, KnownKey>()
  /** Words that are short, plain and no secret name, by some of their units: one comparison in place of a look-up. */
  readonly #recent: KnownKey[] = new Array<KnownKey>(RECENT_WORDS).fill(NO_WORD)

  private constructor({ keys, patterns, allow, when, callSite }: Lists) {
    this.#allowed = new Set(allow.map(foldName))
    const exact = new Set(SECRET_NAMES)
    for (const name of this.#allowed) exact.delete(name)
    // A name the user asks to hide wins over one the user allows: the narrower rule comes from the call site.
    for (const key of keys) exact.add(foldName(key))
    this.#exact = exact
    this.#patterns = patterns
    this.#when = when
    this.#where = Object.freeze({ function: callSite })
  }

  /** Call sites with the same lists share one memory of names; with a predicate, those of the same name. */
  static shared(lists: Lists): NameRules {
    const { keys, patterns, allow, when, callSite } = lists
    const sources = patterns.map(pattern => [regexpSource(pattern), regexpFlags(pattern)])
    const id = JSON.stringify([keys, sources, allow, when === null ? '' : callSite])
    let known = NameRules.#known.get(when ?? NameRules)
    if (known === undefined) NameRules.#known.set(when ?? NameRules, (known = new Map()))
    let rules = known.get(id)
    if (rules === undefined) remember(known, id, (rules = new NameRules(lists)))
    return rules
  }

  knownKey(key: string): KnownKey {
    return this.keys.get(key) ?? this.#learnKey(key)
  }

  /** Whether a text is nothing but the name of something secret, so that what follows it is its value. */
  isSecretName(text: string): boolean {
    const length = text.length
    if (length < 2 || length > MAX_CACHED_UNITS) return false
    const known = mapGet(this.#words, text)
    if (known !== undefined) {
      if (known.bytes !== 0) this.#recent[slotOf(text, length)] = known
      return (known.traits & KeyTrait.secret) !== 0
    }
    // The predicate is not asked: this text may as well be a value.
    const form = formOf(text)
    if (form === 'other') return false
    // Words with spaces between them may be a sentence: only as a whole they are a name.
    const folded = foldName(text)
    const secret = form === 'words' ? setHas(this.#exact, folded) : this.#isListed(text, folded)
    // A text with digits is a value more often than a name: it is judged again, and not kept alive.
    if (form !== 'mixed') this.#rememberWord(text, secret)
    return secret
  }

  #rememberWord(name: string, isSecret: boolean): void {
    const { length } = name
    const isClean = !isSecret && length < SHORT_UNITS && screen(name, length) === 0
    if (mapSize(this.#words) >= MAX_KNOWN_NAMES) mapClear(this.#words)
    const traits = isSecret ? KeyTrait.secret : isClean ? KeyTrait.clean : 0
    const known = new KnownKey(interned(name), traits, true)
    mapSet(this.#words, known.key, known)
  }

  /** A text of which {@link isSecretName} has said no, and which is short and has no secret in it; `null`: who knows. */
  recentWord(text: string): KnownKey | null {
    const length = text.length
    if (length < 2) return null
    const known = this.#recent[slotOf(text, length)] as KnownKey
    return known.key === text ? known : null
  }

  /** Whether the unquoted value of this name runs to the end of the line, as a header's does. */
  isWholeLineName(text: string): boolean {
    const folded = foldName(text)
    for (let i = 0; i < WHOLE_LINE_NAMES.length; i++) if (WHOLE_LINE_NAMES[i] === folded) return true
    return false
  }

  #learnKey(key: string): KnownKey {
    const folded = foldName(key)
    let traits = this.#isListed(key, folded) ? KeyTrait.secret : 0
    if (setHas(PAIR_VALUE_NAMES, folded)) traits |= KeyTrait.pairValue
    const judged = key.length > MAX_JUDGED_UNITS ? stringSlice(key, 0, MAX_JUDGED_UNITS) : key
    const found = screen(judged, judged.length)
    // A key with a secret in its text is never cached, which would keep the secret alive, and never shown to anyone.
    if ((found & ~Trait.wide) !== 0 && scrub(judged, found, judged.length, false, this) !== null)
      return new KnownKey(key, this.#when === null ? traits : traits | KeyTrait.secret, false)
    if ((traits & KeyTrait.secret) === 0 && this.#isChosen(judged)) traits |= KeyTrait.secret
    if (key.length > MAX_CACHED_UNITS) return new KnownKey(key, traits, false)
    if ((found & Trait.wide) === 0 && key !== '__proto__' && key !== PROTO_KEY) traits |= KeyTrait.clean
    return this.keys.remember(key, traits)
  }

  /** Asks the predicate of the application. It was given for this, so it is run; one that throws hides the value. */
  #isChosen(key: string): boolean {
    if (this.#when === null) return false
    try {
      const answer: unknown = this.#when(key, this.#where)
      // Of an async predicate: nobody waits for it, and its rejection would end the application.
      if (isPromise(answer)) promiseThen(answer, undefined, () => undefined)
      return Boolean(answer)
    } catch {
      return true
    }
  }

  #isListed(name: string, folded: string): boolean {
    if (setHas(this.#exact, folded)) return true
    for (let i = 0; i < this.#patterns.length; i++) {
      const judged = name.length > MAX_JUDGED_UNITS ? stringSlice(name, 0, MAX_JUDGED_UNITS) : name
      if (execRegExp(this.#patterns[i] as RegExp, judged) !== null) return true
    }
    for (let i = 0; i < SECRET_PARTS.length; i++) {
      if (indexOf(folded, SECRET_PARTS[i] as string) >= 0) return !setHas(this.#allowed, folded)
    }
    return false
  }
}

const FOLDED_AWAY = new Uint8Array(128)
for (const character of '-_@$. ') FOLDED_AWAY[character.charCodeAt(0)] = 1

/** Lower case without `-`, `_`, `@`, `$`, `.`, spaces and invisible characters; full-width letters are plain ones. */
export function foldName(name: string): string {
  const length = min(name.length, MAX_JUDGED_UNITS)
  let folded = ''
  let isWide = false
  for (let i = 0; i < length; i++) {
    const code = charCodeAt(name, i)
    if (code >= 128) {
      isWide = true
      if (isInvisible(code)) continue
    } else if (FOLDED_AWAY[code] !== 0) continue
    folded += name[i]
  }
  return toLowerCase(isWide ? normalize(folded, 'NFKC') : folded)
}

/** Zero-width characters, the soft hyphen, marks of direction and of byte order, and the spaces beyond ASCII. */
function isInvisible(code: number): boolean {
  return (
    code === 0xa0 ||
    code === 0xad ||
    (code >= 0x2000 && code <= 0x200f) ||
    (code >= 0x2028 && code <= 0x202f) ||
    (code >= 0x205f && code <= 0x2064) ||
    code === 0x3000 ||
    code === 0xfeff
  )
}

/** What a text may be the name of: `X-Api-Key`, `API Key`, or, with digits or letters beyond ASCII, `cvv2`. */
function formOf(text: string): 'name' | 'words' | 'mixed' | 'other' {
  let form: 'name' | 'words' | 'mixed' = 'name'
  for (let i = 0; i < text.length; i++) {
    const code = charCodeAt(text, i)
    const letter = code | 0x20
    if ((letter >= 97 && letter <= 122) || indexOf('-_.$@:', text[i] as string) >= 0) continue
    if (code === 32) form = 'words'
    else if (code > 127 || (code >= 48 && code <= 57)) form = form === 'words' ? 'words' : 'mixed'
    else return 'other'
  }
  return form
}

function remember<V>(memory: Map<string, V>, name: string, value: V): void {
  if (mapSize(memory) >= MAX_KNOWN_NAMES) mapClear(memory)
  mapSet(memory, interned(name), value)
}

function slotOf(text: string, length: number): number {
  return (
    ((length << 4) ^ (charCodeAt(text, length >> 1) << 2) ^ charCodeAt(text, length - 1)) & (RECENT_WORDS - 1)
  )
}
