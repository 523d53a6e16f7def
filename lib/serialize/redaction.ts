import type { RedactPredicate } from '../config/options.js'
import { mapGet, ownRegExp, setHas } from './intrinsics.js'
import type { KnownKey, KnownKeys } from './known-keys.js'
import { foldName, NameRules } from './name-rules.js'
import { scrub } from './secret-text.js'

export { KeyTrait } from './known-keys.js'
export { PAIR_NAMES } from './name-rules.js'

export interface RedactionOptions {
  /** Key names to hide in addition to the default list. */
  readonly keys?: readonly (string | RegExp)[]
  /** Names of the default list that may be shown. Compared as a whole: allowing `token` does not allow `accessToken`. */
  readonly allow?: readonly string[]
  /**
   * What one call site hides on top: an argument position (`0`; `-1` is the result), a key name at any depth
   * (`'pin'` or `/^card/i`), or a path from the top of any argument (`'card.number'`) or of one (`'0.card.number'`).
   * The items of a list need no position of their own in a path.
   */
  readonly site?: readonly (number | string | RegExp)[]
  /** Asked for every key name that nothing above hides. */
  readonly when?: RedactPredicate | null
  /** Name of the call site, for {@link when}. */
  readonly callSite?: string
}

/** One step of the paths of a call site. */
export interface PathNode {
  readonly children: Map<string, PathNode>
  secret: boolean
}

/** Names and texts are judged here; the walk asks before it writes a byte. */
export class Redaction {
  readonly #names: NameRules
  readonly #positions: ReadonlySet<number>
  /** Whether any position is hidden. */
  readonly hasPositions: boolean
  /** Whether what is hidden depends on the place of a value. */
  readonly hasPlaces: boolean
  readonly #anywhere: PathNode | null
  readonly #roots: ReadonlyMap<number, PathNode>
  readonly #hasPaths: boolean
  /** The keys seen so far, to guess from. */
  readonly keys: KnownKeys

  private constructor(
    names: NameRules,
    positions: ReadonlySet<number>,
    anywhere: PathNode | null,
    roots: ReadonlyMap<number, PathNode>,
  ) {
    this.#names = names
    this.#positions = positions
    this.hasPositions = positions.size > 0
    this.#anywhere = anywhere
    this.#roots = roots
    this.#hasPaths = anywhere !== null || roots.size > 0
    this.hasPlaces = this.hasPositions || this.#hasPaths
    this.keys = names.keys
  }

  static compile(options: RedactionOptions): Redaction {
    const keys: string[] = []
    const patterns: RegExp[] = []
    const positions = new Set<number>()
    const anywhere: (readonly string[])[] = []
    const byPosition = new Map<number, (readonly string[])[]>()
    for (const key of options.keys ?? []) {
      if (typeof key === 'string') keys.push(key)
      else patterns.push(ownRegExp(key))
    }
    for (const entry of options.site ?? []) {
      if (typeof entry === 'number') positions.add(entry)
      else if (typeof entry === 'object') patterns.push(ownRegExp(entry))
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
    const names = NameRules.shared({
      keys,
      patterns,
      allow: options.allow ?? [],
      when: options.when ?? null,
      callSite: options.callSite ?? '',
    })
    return new Redaction(names, positions, anywhere.length > 0 ? pathTree(anywhere) : null, roots)
  }

  hidesPosition(position: number): boolean {
    return this.hasPositions && setHas(this.#positions, position)
  }

  rootOf(position: number): PathNode | null {
    return this.#hasPaths ? (mapGet(this.#roots, position) ?? this.#anywhere) : null
  }

  /** The node below `node` for a key; `null` when no path goes on there. */
  step(node: PathNode, key: string): PathNode | null {
    return mapGet(node.children, foldName(key)) ?? null
  }

  knownKey(key: string): KnownKey {
    return this.#names.knownKey(key)
  }

  /** {@link KeyTrait} bits. */
  keyTraits(key: string): number {
    return this.#names.knownKey(key).traits
  }

  /** Whether a text is nothing but the name of something secret, so that what follows it is its value. */
  isSecretName(text: string): boolean {
    return this.#names.isSecretName(text)
  }

  /** A short text that is known to be no secret name, and to have no secret in it; `null`: who knows. */
  recentWord(text: string): KnownKey | null {
    return this.#names.recentWord(text)
  }

  /** Whether a stack, of which nothing is cut off, is ASCII with a trace that is known, and {@link scrub} would find nothing. */
  isPlainStack(stack: string, traceAt: number): boolean {
    return this.#names.traces.isPlain(stack, traceAt)
  }

  /** See {@link scrub}. */
  scrub(text: string, traits: number, keep: number, truncated: boolean): ReturnType<typeof scrub> {
    return scrub(text, traits, keep, truncated, this.#names)
  }
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
