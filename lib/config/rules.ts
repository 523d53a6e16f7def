import { isRegExp, ownRegExp } from '../serialize/intrinsics.js'
import { DURATION_ALLOWED, parseDurationMs } from './duration.js'

/** What one option may hold, and how an error says it. */
export interface ValueRule {
  readonly kind: 'value'
  readonly allowed: string
  readonly accepts: (value: unknown) => boolean
  /** What is kept of an accepted value that could change later. */
  readonly copy?: (value: unknown) => unknown
}

/** A list whose items all obey one rule. */
export interface ListRule {
  readonly kind: 'list'
  readonly allowed: string
  readonly item: ValueRule
}

/** A nested object of options. */
export interface GroupRule {
  readonly kind: 'group'
  readonly options: RuleTable
}

export type Rule = ValueRule | ListRule | GroupRule
export type RuleTable = { readonly [option: string]: Rule }

/** A table that names every option of `T`: an option added to the type does not compile without its rule. */
export type RulesOf<T> = { readonly [K in keyof Required<T>]: Rule }

export const MAX_LIST_ITEMS = 1_000
const MAX_TEXT_LENGTH = 4_096

export function value(allowed: string, accepts: (value: unknown) => boolean): ValueRule {
  return { kind: 'value', allowed, accepts }
}

/** What the rule allows, as it is kept. */
export function kept(rule: ValueRule, given: unknown): unknown {
  return rule.copy === undefined ? given : rule.copy(given)
}

export function group(options: RuleTable): GroupRule {
  return { kind: 'group', options }
}

export function listOf(item: ValueRule): ListRule {
  return { kind: 'list', allowed: `a list of at most ${digits(MAX_LIST_ITEMS)} items`, item }
}

export const flag = value('true or false', given => typeof given === 'boolean')

export const regularExpression: ValueRule = {
  kind: 'value',
  allowed: 'a regular expression',
  accepts: isRegExp,
  copy: given => Object.freeze(ownRegExp(given as RegExp)),
}

export function oneOf(...choices: readonly (string | boolean)[]): ValueRule {
  const names = choices.map(choice => (typeof choice === 'string' ? `'${choice}'` : `${choice}`))
  const allowed = `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`
  return value(allowed, given => choices.some(choice => choice === given))
}

export function number(least: number, most: number, unit = ''): ValueRule {
  const allowed = `a number${ofUnit(unit)} from ${digits(least)} to ${digits(most)}`
  return value(allowed, given => typeof given === 'number' && given >= least && given <= most)
}

export function whole(least: number, most: number, unit = ''): ValueRule {
  const allowed = `a whole number${ofUnit(unit)} from ${digits(least)} to ${digits(most)}`
  return value(allowed, given => Number.isSafeInteger(given) && inRange(given, least, most))
}

/** A whole number, or `Infinity` for no limit. */
export function wholeOrUnlimited(least: number): ValueRule {
  const allowed = `a whole number from ${digits(least)}, or Infinity for no limit`
  return value(
    allowed,
    given =>
      given === Number.POSITIVE_INFINITY ||
      (Number.isSafeInteger(given) && inRange(given, least, Number.MAX_SAFE_INTEGER)),
  )
}

export function powerOfTwo(least: number, most: number, unit: string): ValueRule {
  const allowed = `a power of two${ofUnit(unit)} from ${digits(least)} to ${digits(most)}`
  return value(
    allowed,
    given => Number.isSafeInteger(given) && inRange(given, least, most) && Number.isInteger(Math.log2(given)),
  )
}

export function duration(leastMs = 0): ValueRule {
  const allowed = leastMs > 0 ? `${DURATION_ALLOWED}, at least ${digits(leastMs)} ms` : DURATION_ALLOWED
  return value(allowed, given => (parseDurationMs(given) ?? -1) >= leastMs)
}

export function text(allowed: string, accepts: (text: string) => boolean = () => true): ValueRule {
  return value(
    allowed,
    given =>
      typeof given === 'string' && given.length > 0 && given.length <= MAX_TEXT_LENGTH && accepts(given),
  )
}

export function either(left: ValueRule, right: ValueRule): ValueRule {
  return {
    kind: 'value',
    allowed: `${left.allowed}, or ${right.allowed}`,
    accepts: given => left.accepts(given) || right.accepts(given),
    copy: given => kept(left.accepts(given) ? left : right, given),
  }
}

function inRange(given: unknown, least: number, most: number): given is number {
  return typeof given === 'number' && given >= least && given <= most
}

function ofUnit(unit: string): string {
  return unit === '' ? '' : ` of ${unit}`
}

/** 30000000 as 30,000,000; `toLocaleString` would load the locale tables and follow the user's settings. */
function digits(figure: number): string {
  return `${figure}`.replace(/\B(?=(?:\d{3})+$)/g, ',')
}
