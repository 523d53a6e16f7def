import { isProxy } from 'node:util/types'
import { ConfigError } from './errors.js'
import {
  CALLSIGHT_RULES,
  CLASS_RULES,
  MEMBER_PATTERN_RULE,
  MEMBER_PATTERNS_RULE,
  MONITOR_ALL_RULES,
  MONITOR_RULES,
  TUNE_DURATION_RULES,
  TUNE_RULES,
} from './option-rules.js'
import type {
  CallsightOptions,
  ClassOptions,
  MemberPattern,
  MonitorAllOptions,
  MonitorOptions,
  TuneDuration,
  TuneOptions,
} from './options.js'
import { renderValue } from './render.js'
import { kept, type ListRule, MAX_LIST_ITEMS, type Rule, type RuleTable, type ValueRule } from './rules.js'
import { closestKey } from './suggest.js'

export { ConfigError } from './errors.js'

/**
 * Each function returns a frozen copy that holds own plain values only: what was checked is what is used, and
 * neither a getter, a Proxy nor a polluted prototype of the given object can say something else later.
 *
 * @throws {@link ConfigError}
 */
export function validateTuneOptions(options: unknown): TuneOptions {
  return validated(options, TUNE_RULES) as TuneOptions
}

/** @throws {@link ConfigError} */
export function validateTuneDuration(options: unknown): TuneDuration {
  return validated(options, TUNE_DURATION_RULES) as TuneDuration
}

/** @throws {@link ConfigError} */
export function validateMonitorOptions(options: unknown): MonitorOptions {
  return validated(options, MONITOR_RULES) as MonitorOptions
}

/** @throws {@link ConfigError} */
export function validateClassOptions(options: unknown): ClassOptions {
  return validated(options, CLASS_RULES) as ClassOptions
}

/** @throws {@link ConfigError} */
export function validateMonitorAllOptions(options: unknown): MonitorAllOptions {
  return validated(options, MONITOR_ALL_RULES) as MonitorAllOptions
}

/**
 * One pattern or a list of them, as a list.
 *
 * @throws {@link ConfigError}
 */
export function validateMemberPatterns(given: unknown): readonly MemberPattern[] {
  const patterns =
    !isProxy(given) && Array.isArray(given)
      ? checkList(given, MEMBER_PATTERNS_RULE, 'pattern')
      : [checkValue(given, MEMBER_PATTERN_RULE, 'pattern')]
  if (patterns.length === 0) throw mismatch('option "pattern"', 'at least one pattern', given)
  return patterns as readonly MemberPattern[]
}

/** @throws {@link ConfigError} */
export function validateCallsightOptions(options: unknown): CallsightOptions {
  return validated(options, CALLSIGHT_RULES) as CallsightOptions
}

function validated(options: unknown, rules: RuleTable): object {
  return options === undefined ? Object.freeze({}) : checkGroup(options, rules, '', rules)
}

function checkGroup(given: unknown, rules: RuleTable, path: string, root: RuleTable): object {
  const label = path === '' ? 'the options' : `option "${path}"`
  const source = plainObject(given)
  if (source === null) throw mismatch(label, 'a plain object', given)
  const copy: Record<string, unknown> = Object.create(null)
  for (const key of Reflect.ownKeys(source)) {
    if (typeof key === 'symbol') throw new ConfigError(`Callsight: ${label} must not have a symbol as a key`)
    const rule = Object.hasOwn(rules, key) ? rules[key] : undefined
    if (rule === undefined) throw unknownOption(key, rules, path, root)
    const optionPath = joined(path, key)
    const option = ownValue(source, key, `option "${optionPath}"`)
    if (option !== undefined) copy[key] = checkOption(option, rule, optionPath, root)
  }
  return Object.freeze(copy)
}

function checkOption(given: unknown, rule: Rule, path: string, root: RuleTable): unknown {
  switch (rule.kind) {
    case 'value':
      return checkValue(given, rule, path)
    case 'list':
      return checkList(given, rule, path)
    case 'group':
      return checkGroup(given, rule.options, path, root)
  }
}

function checkValue(given: unknown, rule: ValueRule, path: string): unknown {
  if (rule.accepts(given)) return kept(rule, given)
  throw mismatch(`option "${path}"`, rule.allowed, given)
}

function checkList(given: unknown, rule: ListRule, path: string): readonly unknown[] {
  if (typeof given !== 'object' || given === null || isProxy(given) || !Array.isArray(given)) {
    throw mismatch(`option "${path}"`, rule.allowed, given)
  }
  if (given.length > MAX_LIST_ITEMS) throw mismatch(`option "${path}"`, rule.allowed, given)
  const copy: unknown[] = []
  for (let index = 0; index < given.length; index++) {
    const itemPath = `${path}[${index}]`
    copy.push(checkValue(ownValue(given, `${index}`, `option "${itemPath}"`), rule.item, itemPath))
  }
  return Object.freeze(copy)
}

/** The value itself when it is an object literal, of this realm or another, else null. */
function plainObject(given: unknown): object | null {
  if (typeof given !== 'object' || given === null || isProxy(given)) return null
  const prototype: unknown = Object.getPrototypeOf(given)
  if (prototype === null || prototype === Object.prototype) return given
  if (isProxy(prototype) || Object.getPrototypeOf(prototype) !== null) return null
  return Object.hasOwn(prototype as object, 'isPrototypeOf') ? given : null
}

function ownValue(source: object, key: string, label: string): unknown {
  const property = Object.getOwnPropertyDescriptor(source, key)
  if (property === undefined) return undefined
  // Asked with hasOwn: `get` of a plain value may come from a polluted Object.prototype.
  if (!Object.hasOwn(property, 'value')) {
    throw new ConfigError(`Callsight: ${label} must be a plain value, but is a getter`)
  }
  return property.value
}

function mismatch(label: string, allowed: string, given: unknown): ConfigError {
  return new ConfigError(`Callsight: ${label} must be ${allowed}, but is ${renderValue(given)}`)
}

function unknownOption(key: string, rules: RuleTable, path: string, root: RuleTable): ConfigError {
  const here = Object.keys(rules).map(known => joined(path, known))
  const everywhere = allPaths(root, '')
  const meant = closestKey(key, here) ?? closestKey(key, everywhere)
  const advice = meant === null ? `allowed here: ${here.join(', ')}` : `did you mean "${meant}"?`
  return new ConfigError(`Callsight: unknown option ${renderValue(joined(path, key))}, ${advice}`)
}

function allPaths(rules: RuleTable, path: string): string[] {
  return Object.entries(rules).flatMap(([key, rule]) => {
    const own = joined(path, key)
    return rule.kind === 'group' ? [own, ...allPaths(rule.options, own)] : [own]
  })
}

function joined(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`
}
