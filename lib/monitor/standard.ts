import type { ClassOptions, MonitorOptions } from '../config/options.js'
import { CallSite, type FoundName } from './call-site.js'
import { decorateClass } from './class.js'
import type { Part } from './members.js'
import { awaitHome, rememberDecorated } from './monitored.js'
import { className, classOfMetadata, declaringClass, instanceClass, memberName } from './naming.js'
import type { AnyFunction } from './shape.js'
import { wrap, wrapAt } from './wrap.js'

/** The second argument of a standard (TC39) decorator. */
export type StandardContext = DecoratorContext

type MemberContext = Exclude<StandardContext, ClassDecoratorContext>

export function isStandardContext(value: unknown): value is StandardContext {
  return typeof value === 'object' && value !== null && typeof (value as { kind?: unknown }).kind === 'string'
}

/** Applies `@monitor()` as a standard decorator. */
export function decorateStandard(value: unknown, context: StandardContext, options: ClassOptions): unknown {
  switch (context.kind) {
    case 'method':
      rememberDecorated(context.metadata, context.name, context.static)
      return wrapMember(value as AnyFunction, context, '', options)
    case 'getter':
      return wrapMember(value as AnyFunction, context, 'get ', options)
    case 'setter':
      return wrapMember(value as AnyFunction, context, 'set ', options)
    case 'accessor': {
      const { get, set } = value as { get: AnyFunction; set: AnyFunction }
      return {
        get: wrapMember(get, context, 'get ', options),
        set: wrapMember(set, context, 'set ', options),
      }
    }
    case 'field':
      // The initial value of an arrow-function property; a field that holds anything else stays as it is.
      return wrapInitialValues(context, options)
    case 'class':
      decorateClass(value as Function, options, context.metadata)
      return undefined
  }
}

/** Each instance has a function of its own; all of them are one call site. */
function wrapInitialValues(context: ClassFieldDecoratorContext, options: MonitorOptions) {
  let site: CallSite | null = null
  return function (this: unknown, initial: unknown): unknown {
    if (typeof initial !== 'function') return initial
    if (site === null) {
      const holder = classOfMetadata(this, context.metadata) ?? instanceClass(this)
      site = new CallSite(memberName(holder, context.name), options, false)
    }
    return wrapAt(initial as AnyFunction, site)
  }
}

/**
 * A standard decorator runs before its class exists. Static members are told their class when it is complete; an
 * instance member finds it from the `this` of its first call, because an initializer would cost every construction.
 */
function wrapMember<F extends AnyFunction>(
  fn: F,
  context: MemberContext,
  part: Part,
  options: MonitorOptions,
): F {
  let home: object | null = null
  const classNameOf = (self: unknown): string =>
    home === null
      ? (classOfMetadata(self, context.metadata) ??
        declaringClass(self, context.name, member => member === wrapped))
      : className(home)
  const nameOf = (self: unknown): FoundName => {
    const holder = classNameOf(self)
    return { name: memberName(holder, context.name, part), isWhole: holder !== '' }
  }
  const wrapped: F = wrap(fn, nameOf, options)
  const settle = (holder: object): void => {
    home ??= holder
  }
  awaitHome(wrapped, settle)
  if (context.static) {
    context.addInitializer(function () {
      settle(this as object)
    })
  }
  return wrapped
}
