import type { MonitorOptions } from '../config/options.js'
import { className, memberName } from './naming.js'
import type { AnyFunction } from './shape.js'
import { wrap } from './wrap.js'

/** Applies `@monitor()` as a legacy (`experimentalDecorators`) decorator of a method or an accessor. */
export function decorateLegacy(
  target: object,
  key: string | symbol,
  descriptor: PropertyDescriptor,
  options: MonitorOptions,
): PropertyDescriptor {
  const holder = className(target)
  const result: PropertyDescriptor = { ...descriptor }
  if (typeof descriptor.value === 'function') {
    result.value = wrap(descriptor.value as AnyFunction, memberName(holder, key), options)
  }
  if (descriptor.get !== undefined) {
    result.get = wrap(
      descriptor.get as AnyFunction,
      memberName(holder, key, 'get '),
      options,
    ) as () => unknown
  }
  if (descriptor.set !== undefined) {
    const set = wrap(descriptor.set as AnyFunction, memberName(holder, key, 'set '), options)
    result.set = set as (value: unknown) => void
  }
  return result
}
