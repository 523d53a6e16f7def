import type { MonitorOptions } from '../config/options.js'
import { CallSite } from './call-site.js'
import { monitorClass } from './class.js'
import { declaringClass, instanceClass, memberName } from './naming.js'
import type { AnyFunction } from './shape.js'
import { wrap, wrapAt } from './wrap.js'

/** The second argument of a standard (TC39) decorator. */
export type StandardContext = DecoratorContext

export function isStandardContext(value: unknown): value is StandardContext {
  return typeof value === 'object' && value !== null && typeof (value as { kind?: unknown }).kind === 'string'
}

/** Applies `@monitor()` as a standard decorator. */
export function decorateStandard(value: unknown, context: StandardContext, options: MonitorOptions): unknown {
  switch (context.kind) {
    case 'method':
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
      monitorClass(value as Function, options)
      return undefined
  }
}

/** Each instance has a function of its own; all of them are one call site. */
function wrapInitialValues(context: ClassFieldDecoratorContext, options: MonitorOptions) {
  let site: CallSite | null = null
  return function (this: unknown, initial: unknown): unknown {
    if (typeof initial !== 'function') return initial
    site ??= new CallSite(memberName(instanceClass(this), context.name), options, false)
    return wrapAt(initial as AnyFunction, site)
  }
}

function wrapMember<F extends AnyFunction>(
  fn: F,
  context: Exclude<StandardContext, ClassDecoratorContext>,
  prefix: string,
  options: MonitorOptions,
): F {
  const nameOf = (self: unknown): string => {
    const holder = declaringClass(self, context.name, member => member === wrapped)
    return memberName(holder, context.name, prefix)
  }
  const wrapped: F = wrap(fn, nameOf, options)
  return wrapped
}
