import { inspect } from 'node:util'
import type { MemberPattern } from '../config/options.js'
import { compilePattern } from '../sampling/patterns.js'
import { memberText } from './naming.js'

type Fits = (key: string | symbol, text: string) => boolean

const readSource = getterOf('source')
const readFlags = getterOf('flags')

/**
 * What the language and the console call behind the app's back to convert, print and compare values. A pattern that
 * is the very symbol, or a decorator on the member itself, still reaches them.
 */
const HOOKS = new Set<string | symbol>([
  Symbol.hasInstance,
  Symbol.isConcatSpreadable,
  Symbol.species,
  Symbol.toPrimitive,
  Symbol.toStringTag,
  Symbol.unscopables,
  inspect.custom,
])

/** Which members are meant: those one of the patterns fits, without those one of the exclusions fits. */
export class Selection {
  readonly #wanted: readonly Fits[] | null
  readonly #excluded: readonly Fits[]
  readonly #symbols: ReadonlySet<unknown>

  /** @param wanted `null`: every member */
  constructor(wanted: readonly MemberPattern[] | null, excluded: readonly MemberPattern[] = []) {
    this.#wanted = wanted === null ? null : wanted.map(compile)
    this.#excluded = excluded.map(compile)
    this.#symbols = new Set(wanted)
  }

  /** @param path what stands before the member in its name: `Client.` for the methods of a class among the members */
  takes(key: string | symbol, path = ''): boolean {
    if (HOOKS.has(key) && !this.#symbols.has(key)) return false
    const text = path + memberText(key)
    if (this.#wanted?.some(fits => fits(key, text)) === false) return false
    return !this.#excluded.some(fits => fits(key, text))
  }
}

function compile(pattern: MemberPattern): Fits {
  if (typeof pattern === 'symbol') return key => key === pattern
  if (typeof pattern === 'string') {
    const matches = compilePattern(pattern)
    return (_, text) => matches(text)
  }
  // A copy that starts every test at the beginning, and that the app cannot change or listen to.
  const expression = new RegExp(readSource(pattern), readFlags(pattern).replace(/[gy]/g, ''))
  return (_, text) => expression.test(text)
}

function getterOf(property: 'source' | 'flags'): (expression: RegExp) => string {
  const getter = Object.getOwnPropertyDescriptor(RegExp.prototype, property)?.get as () => string
  return expression => Reflect.apply(getter, expression, [])
}
