import type { Limits } from '../config/options.js'
import { LEARNED_PLAIN, Learned } from './argument-shape.js'
import {
  ArrayPrototype,
  asIntN,
  bigintToNumber,
  bigintToString,
  charCodeAt,
  getOwnPropertyDescriptor,
  getPrototypeOf,
  hasOwn,
  isArray,
  isProxy,
  lastIndexOf,
  lookupGetter,
  min,
  ObjectPrototype,
  ownKeys,
  setAdd,
  stringSlice,
} from './intrinsics.js'
import { KeyTrait, KnownKey } from './known-keys.js'
import { CLASS_KEY, type Cut, REST_KEY, Cut as Reason, SHAPED_ARGUMENTS, SILENT, Word } from './markers.js'
import { MARKER_TEXT_UNITS } from './msgpack-writer.js'
import { ownData } from './own-data.js'
import { PLAIN_UNITS, PLAIN_VALUE_BYTES, READY_KEY_BYTES, writePlain, writePlainKey } from './plain-values.js'
import { PAIR_NAMES, type PathNode } from './redaction.js'
import { renderSpecial } from './renderers.js'
import { CARD_FROM, isCardInteger } from './secret-cards.js'
import { COSTLY_KEYS, functionText, listShape, symbolText } from './shapes.js'
import { type CaptureSite, NO_SITE, TextWriter } from './text-writer.js'

export const MAX_DEPTH = 16
// Here constants for the compiler, which imports are not.
const { secret: SECRET } = KeyTrait
const HIDING = KeyTrait.secret | KeyTrait.pairValue
const NO_REASON = Reason.none
const MAX_SAFE = Number.MAX_SAFE_INTEGER
const CARD = CARD_FROM
const NOTHING_LEARNED = Learned.nothing
/** Larger than any limit. */
const NEVER = 2 ** 30
const READY_KEY = READY_KEY_BYTES
const plain = writePlain
const plainKey = writePlainKey
const CLASS_ENTRY = new KnownKey(CLASS_KEY, KeyTrait.clean, true)

/** What stands at an index of a list that is no Proxy. */
const Item = { data: 0, empty: 1, getter: 2 } as const
type Item = (typeof Item)[keyof typeof Item]

/**
 * One bounded walk over one group of values. Every method that writes returns `false`, with `at` where it was,
 * when the value does not fit; the container then ends with the marker of the cut, for which it has kept room.
 */
export class Walk extends TextWriter {
  position = 0
  /** Values that may still be visited. */
  nodes = 0
  /** Containers that are open, which is also the length of {@link ancestors} in use. */
  level = 0
  /** Where the walk stands in the paths of the call site; `null` when none can match from here. */
  path: PathNode | null = null
  /** Own keys of the argument itself, when the walk has listed them (and {@link LEARNED_PLAIN}); else {@link Learned.nothing}. */
  keysSeen: number = Learned.nothing
  /** Arguments the walk has come to, and what it has learned of the first of them. */
  walked = 0
  readonly learned = new Int32Array(SHAPED_ARGUMENTS)
  readonly ancestors: (object | null)[]

  /** Room in which no plain field is cut. */
  readonly plainRoom: number = 0

  constructor(limits: Limits) {
    super(limits)
    this.plainRoom = limits.stringLength < PLAIN_UNITS ? NEVER : READY_KEY + PLAIN_VALUE_BYTES
    // Filled: a hole would look for a setter on a polluted Array.prototype.
    this.ancestors = new Array<object | null>(MAX_DEPTH + 2).fill(null)
  }

  begin(bytes: Uint8Array, offset: number, end: number, site: CaptureSite): void {
    this.target(bytes)
    this.at = offset
    this.limit = end
    this.nodes = this.limits.nodes
    this.site = site
    this.level = 0
    this.path = null
    this.walked = 0
  }

  /** {@link begin} in the middle of a group, for one argument or the result. */
  start(at: number, limit: number, nodes: number, position: number, site: CaptureSite): void {
    this.at = at
    this.limit = limit
    this.nodes = nodes
    this.position = position
    this.site = site
    this.keysSeen = NOTHING_LEARNED
  }

  /** Forgets what was captured; also after a walk that was broken off. */
  end(): void {
    while (this.level > 0) this.leave()
    this.site = NO_SITE
    this.path = null
  }

  // Not a switch: the compiler turns each of these comparisons into a check, and only these.
  value(value: unknown): boolean {
    if (typeof value === 'number') return this.anyNumber(value)
    if (typeof value === 'string') return this.text(value, this.limits.stringLength)
    if (typeof value === 'object') return value === null ? this.nil() : this.object(value)
    if (typeof value === 'boolean') return this.boolean(value)
    if (typeof value === 'undefined') return this.word(Word.undefined)
    if (typeof value === 'bigint') return this.bigint(value)
    if (typeof value === 'symbol') return this.label(Reason.none, symbolText(value))
    if (isProxy(value)) return this.word(Word.proxy)
    return this.label(Reason.none, functionText(value as object))
  }

  anyNumber(value: number): boolean {
    if (value >= CARD && isCardInteger(value)) return this.word(Word.redacted)
    if (value - value === 0) return this.number(value)
    return this.word(value > 0 ? Word.infinity : value < 0 ? Word.negativeInfinity : Word.nan)
  }

  bigint(value: bigint): boolean {
    if (value >= -MAX_SAFE && value <= MAX_SAFE) return this.anyNumber(bigintToNumber(value))
    // Converting a million digits takes seconds; comparing 1,024 bits costs the same for every size.
    if (asIntN(1024, value) !== value) return this.marker(Reason.string | SILENT, 0, 'bigint over 1024 bits')
    return this.text(`${bigintToString(value)}n`, this.limits.stringLength)
  }

  object(value: object): boolean {
    if (isProxy(value)) return this.word(Word.proxy)
    const prototype = getPrototypeOf(value) as object | null
    if (prototype === ObjectPrototype) {
      if (this.level > 0) return this.fields(value, '')
      const fits = this.fields(value, '')
      if (this.keysSeen >= 0) this.keysSeen += LEARNED_PLAIN
      return fits
    }
    if (prototype === ArrayPrototype && isArray(value)) return this.list(value)
    return renderSpecial(this, value, prototype)
  }

  isAncestor(value: object): boolean {
    for (let i = 0; i < this.level; i++) if (this.ancestors[i] === value) return true
    return false
  }

  isTooDeep(): boolean {
    return this.level > this.limits.depth
  }

  enter(value: object): void {
    this.ancestors[this.level++] = value
  }

  leave(): void {
    this.ancestors[--this.level] = null
  }

  fields(value: object, className: string): boolean {
    if (this.isAncestor(value)) return this.word(Word.circular)
    if (this.isTooDeep()) return this.label(Reason.depth, className === '' ? 'Object' : className)
    const keys = ownKeys(value)
    const total = keys.length
    if (this.level === 0) this.keysSeen = total
    if (total > COSTLY_KEYS) setAdd(this.site.costly, this.position)
    const shown = min(total, this.limits.fields)
    const headerAt = this.at
    const outer = this.limit
    const classEntries = className === '' ? 0 : 1
    const planned = classEntries + shown + (total > shown ? 1 : 0)
    if (!this.openMap(planned)) return false
    if (classEntries === 1 && !this.classEntry(className)) return this.undo(headerAt, outer)
    const { redaction } = this.site
    const { bytes, view } = this
    const lastPlain = this.path === null ? this.limit - this.plainRoom : -1
    let known = redaction.keys.start(this.position, this.level, total)
    this.enter(value)
    let reason: Cut = total > shown ? Reason.fields : NO_REASON
    let done = 0
    let { at, nodes } = this
    for (; done < shown; done++) {
      if (nodes <= 0) {
        reason = Reason.nodes
        break
      }
      nodes--
      const key = keys[done] as string
      let next = known.next
      if (next.key !== key) {
        next = redaction.knownKey(key)
        if (next.isKept) known.next = next
      }
      known = next
      this.at = at
      let isWritten: boolean
      // Most fields: as #field, in one piece.
      if (at <= lastPlain && known.bytes !== 0 && (known.traits & HIDING) === 0) {
        const descriptor = getOwnPropertyDescriptor(value, key)
        if (descriptor !== undefined && !('get' in descriptor)) {
          const valueAt = plainKey(view, at, known)
          const after = plain(bytes, view, valueAt, descriptor.value)
          if (after !== -1) {
            at = after
            continue
          }
          this.at = valueAt
          this.nodes = nodes
          isWritten = this.value(descriptor.value)
        } else {
          this.nodes = nodes
          isWritten = this.#field(value, known)
        }
      } else {
        this.nodes = nodes
        isWritten = this.#field(value, known)
      }
      nodes = this.nodes
      if (!isWritten) {
        reason = Reason.bytes
        break
      }
      at = this.at
    }
    this.at = at
    this.nodes = nodes
    this.leave()
    this.limit = outer
    if (reason === NO_REASON) return true
    this.restOfMap(reason, total - done)
    this.closeMap(headerAt, planned, classEntries + done + 1)
    return true
  }

  classEntry(className: string): boolean {
    return this.key(CLASS_ENTRY) && this.text(className, MARKER_TEXT_UNITS)
  }

  restOfMap(reason: Cut, amount: number): void {
    this.string(REST_KEY, 1)
    this.marker(reason, amount, '')
  }

  undo(at: number, limit: number): false {
    this.at = at
    this.limit = limit
    return false
  }

  field(owner: object, key: string): boolean {
    return this.#field(owner, this.site.redaction.knownKey(key))
  }

  #field(owner: object, known: KnownKey): boolean {
    if (!this.key(known)) return false
    const { key, traits } = known
    const descriptor = getOwnPropertyDescriptor(owner, key)
    if (descriptor === undefined) return this.word(Word.empty)
    // Without `get`, here or on a polluted Object.prototype, it is data: with its own `value`. Cheaper than hasOwn.
    if ('get' in descriptor && !hasOwn(descriptor, 'value')) return this.word(Word.getter)
    const value: unknown = descriptor.value
    if ((traits & HIDING) !== 0) {
      if ((traits & SECRET) !== 0 || this.#isNamedSecret(owner)) return this.hidden(value)
    }
    return this.path === null ? this.value(value) : this.valueBelow(value, key)
  }

  /** `{ name: 'password', value: 'x' }`: form fields, recorded headers, what validators say of a value. */
  #isNamedSecret(owner: object): boolean {
    for (let i = 0; i < PAIR_NAMES.length; i++)
      if (this.#isPairName(ownData(owner, PAIR_NAMES[i] as string))) return true
    return false
  }

  /** A name, the end of a JSON pointer (`/user/password`), or the last step of a path (`['user', 'password']`). */
  #isPairName(name: unknown): boolean {
    if (typeof name === 'string')
      return this.isSecretText(
        charCodeAt(name, 0) === 47 ? stringSlice(name, lastIndexOf(name, '/') + 1) : name,
      )
    if (typeof name !== 'object' || name === null || isProxy(name) || !isArray(name) || name.length === 0)
      return false
    const last = getOwnPropertyDescriptor(name, name.length - 1)
    return last !== undefined && hasOwn(last, 'value') && this.isSecretText(last.value)
  }

  /** A field with a name of the platform, which the user may hide like any other. */
  namedEntry(name: string, value: unknown): boolean {
    return this.ascii(name) && (this.isSecretKey(name) ? this.hidden(value) : this.valueBelow(value, name))
  }

  /** One step down the paths of the call site. */
  valueBelow(value: unknown, key: string): boolean {
    const here = this.path
    const next = here === null ? null : this.site.redaction.step(here, key)
    if (next?.secret === true) return this.hidden(value)
    this.path = next
    const fits = this.value(value)
    this.path = here
    return fits
  }

  list(value: readonly unknown[]): boolean {
    const total = value.length
    if (this.isAncestor(value)) return this.word(Word.circular)
    if (total > this.limits.listItems) return this.marker(Reason.items | SILENT, 0, listShape(value, this))
    if (this.isTooDeep()) return this.marker(Reason.depth, 0, `Array ${total}`)
    const shown = min(total, this.limits.items)
    const headerAt = this.at
    const outer = this.limit
    const planned = shown + (total > shown ? 1 : 0)
    if (!this.openArray(planned)) return false
    const { redaction } = this.site
    const { bytes, view } = this
    const lastPlain = this.path === null ? this.limit - this.plainRoom : -1
    this.enter(value)
    let reason: Cut = total > shown ? Reason.items : NO_REASON
    let done = 0
    let afterSecretName = false
    for (; done < shown; done++) {
      if (this.nodes <= 0) {
        reason = Reason.nodes
        break
      }
      this.nodes--
      const what = itemOf(value, done)
      let fits: boolean
      if (what === Item.data) {
        const item: unknown = value[done]
        const { at } = this
        if (!afterSecretName && at <= lastPlain) {
          const isFollowed = typeof item === 'string' && done + 1 < total
          const word = isFollowed ? redaction.recentWord(item) : null
          const after = word === null ? plain(bytes, view, at, item) : plainKey(view, at, word)
          if (after !== -1) {
            this.at = after
            afterSecretName = isFollowed && word === null && redaction.isSecretName(item)
            continue
          }
        }
        fits = afterSecretName
          ? this.hidden(item)
          : this.path === null
            ? this.value(item)
            : this.#item(item, done)
        // [name, value] pairs, raw header lists and command lines: what follows a secret name is its value.
        afterSecretName = typeof item === 'string' && done + 1 < total && this.isSecretText(item)
      } else {
        fits = this.word(what === Item.empty ? Word.empty : Word.getter)
        afterSecretName = false
      }
      if (!fits) {
        reason = Reason.bytes
        break
      }
    }
    this.leave()
    this.limit = outer
    if (reason === NO_REASON) return true
    this.marker(reason, total - done, '')
    this.closeArray(headerAt, planned, done + 1)
    return true
  }

  /** An item may be named in a path by its index, or be passed through without a name. */
  #item(value: unknown, index: number): boolean {
    const here = this.path
    if (here !== null && this.site.redaction.step(here, `${index}`) !== null)
      return this.valueBelow(value, `${index}`)
    return this.value(value)
  }
}

/** Tells data from an accessor without a descriptor, which takes the engine four times as long for an index. */
function itemOf(list: readonly unknown[], index: number): Item {
  if (!hasOwn(list, index)) return Item.empty
  if (lookupGetter(list, index) !== undefined) return Item.getter
  if (list[index] !== undefined) return Item.data
  // Undefined, or a setter alone: nothing of the application has run.
  const descriptor = getOwnPropertyDescriptor(list, index)
  return descriptor !== undefined && hasOwn(descriptor, 'value') ? Item.data : Item.getter
}
