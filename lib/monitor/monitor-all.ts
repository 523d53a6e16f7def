import { types } from 'node:util'
import type { MemberPattern, MonitorAllOptions } from '../config/options.js'
import { renderValue } from '../config/render.js'
import { ConfigError, validateMemberPatterns, validateMonitorAllOptions } from '../config/validate.js'
import { monitorClass } from './class.js'
import { isClass, isOfEngine, planOf } from './members.js'
import { ofEngine } from './monitor.js'
import { isNamespace, standInFor } from './namespace.js'
import { functionName, instanceClass, isObject } from './naming.js'
import { monitorObject, type Outcome } from './object.js'
import { monitoringOff } from './recording.js'
import { Selection } from './selection.js'

/**
 * Monitors functions of an object you do not own: a client, a library, a module, a class.
 *
 * ```ts
 * monitorAll(client, ['get*', 'set*'], { name: 'redis', inherited: true })   // call sites redis.get, redis.set, …
 * const fs = monitorAll(await import('node:fs/promises'), 'read*')           // a stand-in: modules cannot be changed
 * ```
 *
 * The functions of an object are replaced in place and the object itself is returned; a class gets its methods
 * monitored as by `@monitor()` above it. A module namespace (`import * as`) cannot be changed: what is returned is an
 * object with the same keys that reads through to it, and only calls through that object are recorded.
 *
 * No getter is run and none is replaced; classes among the members stay as they are unless `classes` asks for them.
 * Functions that are monitored already are left alone, and one that has two names is one call site.
 *
 * With `CALLSIGHT=off` the target is returned as it is.
 *
 * @param target object, class, function with members, or module namespace
 * @param pattern which functions: a name with `*` and `?`, an expression, a symbol, or a list of those. Default: all
 * @throws {ConfigError} when an option or pattern has no meaning, and for a target whose functions cannot be replaced
 */
export function monitorAll<T extends object>(target: T, options?: MonitorAllOptions): T
export function monitorAll<T extends object>(
  target: T,
  pattern: MemberPattern | readonly MemberPattern[],
  options?: MonitorAllOptions,
): T
export function monitorAll<T extends object>(target: T, first?: unknown, second?: unknown): T {
  const firstIsOptions = isOptions(first)
  const wanted =
    first === undefined || (firstIsOptions && second === undefined) ? null : validateMemberPatterns(first)
  const options = validateMonitorAllOptions(firstIsOptions ? first : second)
  refuseUnusable(target)
  const selection = new Selection(wanted, options.exclude)
  if (monitoringOff()) return target

  const { inherited = false, classes = false, ...shared } = options
  const plan = planOf(shared, selection)
  if (isNamespace(target)) {
    // What a binding holds is not known before the app reads it.
    const fits = classes || Reflect.ownKeys(target).some(key => selection.takes(key))
    if (!fits) warn('monitorAll() monitors nothing: no name of the module fits')
    return standInFor(target, plan, classes)
  }
  if (isClass(target)) {
    const taken = monitorClass(target, plan)
    report({ taken, fixed: [], passedOver: 'no method of this class fits' })
  } else {
    report(monitorObject(target, { ...plan, name: plan.name ?? prefixFor(target) }, inherited, classes))
  }
  return target
}

function isOptions(given: unknown): boolean {
  if (typeof given !== 'object' || given === null || types.isRegExp(given)) return false
  return types.isProxy(given) || !Array.isArray(given)
}

function prefixFor(target: object): string {
  if (typeof target === 'function') return functionName(target)
  const name = instanceClass(target)
  return name === 'Object' ? '' : name
}

function refuseUnusable(target: unknown): void {
  if (!isObject(target)) {
    throw new ConfigError(
      `Callsight: monitorAll() takes an object, a class or a module namespace, but is given ${renderValue(target)}`,
    )
  }
  if (types.isProxy(target)) {
    throw new ConfigError(
      'Callsight: monitorAll() cannot look into a Proxy without running its traps; give it the object behind the Proxy, or wrap single functions with monitor(fn)',
    )
  }
  if (isOfEngine(target)) throw ofEngine()
}

function report({ taken, fixed, passedOver }: Outcome): void {
  if (fixed.length > 0 && taken === 0) {
    throw new ConfigError(
      `Callsight: monitorAll() cannot replace ${fixed.join(', ')}: the object is frozen; give it a copy, monitorAll({ ...object }), and use that`,
    )
  }
  if (fixed.length > 0) warn(`monitorAll() left out what cannot be replaced: ${fixed.join(', ')}`)
  else if (taken === 0) warn(`monitorAll() monitors nothing: ${passedOver}`)
}

function warn(text: string): void {
  process.emitWarning(text, { type: 'CallsightWarning', code: 'CALLSIGHT_NOT_MONITORED' })
}
