import type { ClassOptions, MonitorOptions } from '../config/options.js'
import { ConfigError, validateClassOptions } from '../config/validate.js'
import { decorateClass } from './class.js'
import { decorateLegacy } from './legacy.js'
import { isClass, isOfEngine } from './members.js'
import { functionName } from './naming.js'
import { monitoringOff } from './recording.js'
import type { AnyFunction } from './shape.js'
import { decorateStandard, isStandardContext } from './standard.js'
import { wrap } from './wrap.js'

/** Any class, also one whose constructor is protected or private: that one has no type a `new` could be asked of. */
type AnyClass = Function & { readonly prototype: object }

/** What options are not: with it `@monitor` without parentheses, which passes a context here, does not compile. */
interface NoContext {
  readonly kind?: never
}

/**
 * What `monitor()` returns: one decorator for both dialects and every place a decorator can stand. It gives nothing
 * back as far as types go, so overloads, generics and `this` types stay exactly as they were written.
 */
export interface MonitorDecorator extends ClassMonitorDecorator {
  <This>(method: AnyFunction, context: ClassMethodDecoratorContext<This>): void
  <This>(getter: AnyFunction, context: ClassGetterDecoratorContext<This>): void
  <This>(setter: AnyFunction, context: ClassSetterDecoratorContext<This>): void
  <This, Value>(
    accessor: ClassAccessorDecoratorTarget<This, Value>,
    context: ClassAccessorDecoratorContext<This, Value>,
  ): void
  <This>(field: undefined, context: ClassFieldDecoratorContext<This>): void
  /** Legacy decorator of a method or an accessor. */
  (target: object, key: string | symbol, descriptor: PropertyDescriptor): void
}

/** Only the kind is asked for: the whole type of a context knows no class with a private constructor. */
interface ClassContext {
  readonly kind: 'class'
}

/**
 * What `monitor()` returns for options that only a whole class can have. The legacy dialect passes no context; were
 * that a signature of its own, it would fit methods too.
 */
export type ClassMonitorDecorator = (target: AnyClass, context?: ClassContext) => void

/**
 * Records the calls of a function.
 *
 * As a decorator, in the standard and in the legacy dialect, on methods, static methods, getters, setters, accessors,
 * private methods, arrow-function properties (standard dialect) and whole classes:
 *
 * ```ts
 * class Orders {
 *   @monitor()
 *   async place(order: Order): Promise<Receipt> { … }
 *
 *   @monitor({ sample: 0.01, slow: '250ms', redact: [0, 'card.number'] })
 *   quote(symbol: string): number { … }
 * }
 * ```
 *
 * On a class, `exclude` leaves members out: `@monitor({ exclude: ['health', /^_/] })`. Members with a `@monitor()` of
 * their own keep its options.
 *
 * Around a plain function: `const parse = monitor(function parse(text: string) { … }, { sample: 0.1 })`.
 *
 * With `CALLSIGHT=off` functions are returned as they are.
 *
 * @throws {ConfigError} when an option has no meaning
 */
export function monitor(options?: MonitorOptions): MonitorDecorator
export function monitor(options: ClassOptions): ClassMonitorDecorator
export function monitor<F extends AnyFunction>(fn: F, options?: MonitorOptions & NoContext): F
export function monitor(first?: AnyFunction | ClassOptions, second?: ClassOptions): unknown {
  if (typeof first === 'function') {
    if (isStandardContext(second)) throw forgottenParentheses()
    return monitorFunction(first, checked(second))
  }
  if (second !== undefined) throw forgottenParentheses()
  const options = checked(first)
  return (target: unknown, contextOrKey?: unknown, descriptor?: PropertyDescriptor): unknown => {
    if (!isWholeClass(target, contextOrKey)) refuseExclude(options)
    if (monitoringOff()) return descriptor
    if (isStandardContext(contextOrKey)) return decorateStandard(target, contextOrKey, options)
    if (typeof contextOrKey === 'string' || typeof contextOrKey === 'symbol') {
      if (descriptor === undefined) throw legacyField(contextOrKey)
      // The decorator of a parameter gets its position here.
      if (typeof descriptor !== 'object') throw notDecorable()
      return decorateLegacy(target as object, contextOrKey, descriptor, options)
    }
    if (typeof target === 'function') return void decorateClass(target, options)
    throw notDecorable()
  }
}

function monitorFunction(fn: AnyFunction, options: ClassOptions): unknown {
  const wholeClass = isClass(fn)
  if (!wholeClass) refuseExclude(options)
  if (isOfEngine(fn)) throw ofEngine()
  if (monitoringOff()) return fn
  if (wholeClass) {
    decorateClass(fn, options)
    return fn
  }
  const name = functionName(fn)
  return wrap(fn, name === '' ? '(anonymous)' : name, options)
}

function checked(options: ClassOptions | undefined): ClassOptions {
  return options === undefined ? {} : validateClassOptions(options)
}

function isWholeClass(target: unknown, contextOrKey: unknown): boolean {
  if (isStandardContext(contextOrKey)) return contextOrKey.kind === 'class'
  return typeof target === 'function' && contextOrKey === undefined
}

function refuseExclude({ exclude }: ClassOptions): void {
  if (exclude === undefined) return
  throw new ConfigError(
    'Callsight: option "exclude" is for whole classes and monitorAll(); to leave one member out, take its @monitor() away',
  )
}

function forgottenParentheses(): ConfigError {
  return new ConfigError('@monitor needs parentheses: write @monitor() or @monitor({ … })')
}

function notDecorable(): ConfigError {
  return new ConfigError('monitor() cannot decorate this; use it on a class, a method or an accessor')
}

export function ofEngine(): ConfigError {
  return new ConfigError(
    'Callsight: what belongs to the engine cannot be monitored in place, the recorder uses it too; wrap single functions, monitor(JSON.parse), or extend the class',
  )
}

function legacyField(key: string | symbol): ConfigError {
  return new ConfigError(
    `@monitor() cannot see the value of the property ${String(key)} with experimentalDecorators; ` +
      'write the property as monitor((…) => …) or make it a method',
  )
}
