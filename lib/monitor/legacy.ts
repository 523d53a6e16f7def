import type { MonitorOptions } from '../config/options.js'
import { mapFunctions, nameOn } from './members.js'
import { rememberDecorated } from './monitored.js'
import { wrap } from './wrap.js'

/** Applies `@monitor()` as a legacy (`experimentalDecorators`) decorator of a method or an accessor. */
export function decorateLegacy(
  target: object,
  key: string | symbol,
  descriptor: PropertyDescriptor,
  options: MonitorOptions,
): PropertyDescriptor {
  rememberDecorated(target, key, typeof target === 'function')
  return mapFunctions(descriptor, (fn, part) => wrap(fn, nameOn(target, key, part), options))
}
