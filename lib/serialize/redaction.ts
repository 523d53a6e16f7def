import {
  charCodeAt,
  indexOf,
  mapClear,
  mapGet,
  mapSet,
  mapSize,
  min,
  setHas,
  toLowerCase,
} from './intrinsics.js'
import { PROTO_KEY } from './markers.js'
import { SECRET_NAMES, SECRET_PARTS, WHOLE_LINE_NAMES } from './secret-names.js'
import { screen, Trait } from './secret-screen.js'
import { scrub } from './secret-text.js'

export interface RedactionOptions {
  /** Key names to hide in addition to the default list. */
  readonly keys?: readonly string[]
  /** Names of the default list that may be shown. Compared as a whole: allowing `token` does not allow `accessToken`. */
  readonly allow?: readonly string[]
  /**
   * What one call site hides on top: an argument position (`0`; `-1` is the result), a key name at any depth
   * (`'pin'`), or a path from the top of any argument (`'card.number'`) or of one (`'0.card.number'`). The items of a
   * list need no position of their own in a path.
   */
  readonly site?: readonly (number | string)[]
}

/** What is known about a key, as bits. */
export const KeyTrait = {
  /** The value must not be recorded. */
  secret: 1,
  /** Short ASCII without any secret in it: may be copied as it is. */
  clean: 2,
  /** Holds the value of a pair such as `{ name: 'password', value: … }`. */
  pairValue: 4,
} as const

/** One step of the paths of a call site. */
export interface PathNode {
  readonly children: Map<string, PathNode>
  secret: boolean
}

const MAX_KNOWN_NAMES = 4_096
const MAX_CACHED_UNITS = 64
const PAIR_VALUE_NAMES: ReadonlySet<string> = new Set(['value', 'values', 'val', 'content', 'data'])

/** Names and texts are judged here; the walk asks before it writes a byte. */
export class Redaction {
  readonly #names: NameRules
  readonly #positions: ReadonlySet<number>
  readonly #hasPositions: boolean
  readonly #anywhere: PathNode | null
  readonly #roots: ReadonlyMap<number, PathNode>

  private constructor(
    names: NameRules,
    positions: ReadonlySet<number>,
    anywhere: PathNode | null,
    roots: ReadonlyMap<number, PathNode>,
  ) {
    this.#names = names
    this.#positions = positions
    this.#hasPositions = positions.size > 0
    this.#anywhere = anywhere
    this.#roots = roots
  }

  static compile(options: RedactionOptions): Redaction {
    const keys = [...(options.keys ?? [])]
    const positions = new Set<number>()
    const anywhere: (readonly string[])[] = []
    const byPosition = new Map<number, (readonly string[])[]>()
    for (const entry of options.site ?? []) {
      if (typeof entry === 'number') positions.add(entry)
      else if (/^-?\d+$/.test(entry)) positions.add(Number(entry))
      else if (!entry.includes('.')) keys.push(entry)
      else {
        const [first = '', ...rest] = entry.split('.').map(foldName)
        if (!/^\d+$/.test(first)) anywhere.push([first, ...rest])
        else byPosition.set(Number(first), [...(byPosition.get(Number(first)) ?? []), rest])
      }
    }
    const roots = new Map<number, PathNode>()
    for (const [position, paths] of byPosition) roots.set(position, pathTree([...anywhere, ...paths]))
    const names = NameRules.shared(keys, options.allow ?? [])
    return new Redaction(names, positions, anywhere.length > 0 ? pathTree(anywhere) : null, roots)
  }

  hidesPosition(position: number): boolean {
    return this.#hasPositions && setHas(this.#positions, position)
  }

  rootOf(position: number): PathNode | null {
    return mapGet(this.#roots, position) ?? this.#anywhere
  }

  /** The node below `node` for a key; `null` when no path goes on there. */
  step(node: PathNode, key: string): PathNode | null {
    return mapGet(node.children, foldName(key)) ?? null
  }

  /** {@link KeyTrait} bits. */
  keyTraits(key: string): number {
    return this.#names.keyTraits(key)
  }

  /** Whether a text is nothing but the name of something secret, so that what follows it is its value. */
  isSecretName(text: string): boolean {
    return this.#names.isSecretName(text)
  }

  /** See {@link scrub}. */
  scrub(text: string, traits: number, keep: number, truncated: boolean): ReturnType<typeof scrub> {
    return scrub(text, traits, keep, truncated, this.#names)
  }
}

const FOLDED_AWAY = new Uint8Array(128)
for (const character of '-_@$. ') FOLDED_AWAY[character.charCodeAt(0)] = 1

/** Lower case without `-`, `_`, `@`, `$`, `.` and spaces. */
export function foldName(name: string): string {
  const length = min(name.length, 256)
  let folded = ''
  for (let i = 0; i < length; i++) {
    const code = charCodeAt(name, i)
    if (code >= 128 || FOLDED_AWAY[code] === 0) folded += name[i]
  }
  return toLowerCase(folded)
}

/** The lists of one configuration with what was learned about the names seen so far. */
class NameRules {
  static readonly #known = new Map<string, NameRules>()

  readonly #exact: ReadonlySet<string>
  readonly #allowed: ReadonlySet<string>
  readonly #keys = new Map<string, number>()
  readonly #words = new Map<string, boolean>()

  private constructor(keys: readonly string[], allow: readonly string[]) {
    this.#allowed = new Set(allow.map(foldName))
    const exact = new Set(SECRET_NAMES)
    for (const name of this.#allowed) exact.delete(name)
    // A name the user asks to hide wins over one the user allows: the narrower rule comes from the call site.
    for (const key of keys) exact.add(foldName(key))
    this.#exact = exact
  }

  /** Call sites with the same lists share one memory of names. */
  static shared(keys: readonly string[], allow: readonly string[]): NameRules {
    const id = JSON.stringify([keys, allow])
    const known = NameRules.#known.get(id)
    if (known !== undefined) return known
    const rules = new NameRules(keys, allow)
    NameRules.#known.set(id, rules)
    return rules
  }

  keyTraits(key: string): number {
    return mapGet(this.#keys, key) ?? this.#learnKey(key)
  }

  isSecretName(text: string): boolean {
    const length = text.length
    if (length < 3 || length > MAX_CACHED_UNITS) return false
    const known = mapGet(this.#words, text)
    if (known !== undefined) return known
    const secret = isNameLike(text) && this.#isSecretFolded(foldName(text))
    remember(this.#words, text, secret)
    return secret
  }

  isWholeLineName(text: string): boolean {
    const folded = foldName(text)
    for (let i = 0; i < WHOLE_LINE_NAMES.length; i++) if (WHOLE_LINE_NAMES[i] === folded) return true
    return false
  }

  #learnKey(key: string): number {
    const folded = foldName(key)
    let traits = this.#isSecretFolded(folded) ? KeyTrait.secret : 0
    if (setHas(PAIR_VALUE_NAMES, folded)) traits |= KeyTrait.pairValue
    if (key.length > MAX_CACHED_UNITS) return traits
    const found = screen(key, key.length)
    // A key with a secret in its text is never cached: the cache would keep the secret alive.
    if ((found & ~Trait.wide) !== 0 && scrub(key, found, key.length, false, this) !== null) return traits
    if ((found & Trait.wide) === 0 && key !== '__proto__' && key !== PROTO_KEY) traits |= KeyTrait.clean
    remember(this.#keys, key, traits)
    return traits
  }

  #isSecretFolded(folded: string): boolean {
    if (setHas(this.#exact, folded)) return true
    for (let i = 0; i < SECRET_PARTS.length; i++) {
      if (indexOf(folded, SECRET_PARTS[i] as string) >= 0) return !setHas(this.#allowed, folded)
    }
    return false
  }
}

function isNameLike(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = charCodeAt(text, i) | 0x20
    const isLetter = code >= 97 && code <= 122
    const isDigit = code >= 48 && code <= 57
    if (!isLetter && !isDigit && indexOf('-_.$@:', text[i] as string) < 0) return false
  }
  return true
}

function remember<V>(memory: Map<string, V>, name: string, value: V): void {
  if (mapSize(memory) >= MAX_KNOWN_NAMES) mapClear(memory)
  mapSet(memory, name, value)
}

function pathTree(paths: readonly (readonly string[])[]): PathNode {
  const root: PathNode = { children: new Map(), secret: false }
  for (const path of paths) {
    let node = root
    for (const segment of path) {
      let next = node.children.get(segment)
      if (next === undefined) node.children.set(segment, (next = { children: new Map(), secret: false }))
      node = next
    }
    node.secret = true
  }
  return root
}
