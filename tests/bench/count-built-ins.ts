import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

type Kind = 'clock reads' | 'atomics' | 'file operations' | 'built-ins'
export type BuiltInCounts = Record<Kind, number>

/**
 * Replaces the built-in functions by ones that count. Those of Node itself go on with the true ones, which it has taken
 * aside when it started.
 */
export function countBuiltIns(): { readonly take: () => BuiltInCounts } {
  const counts: BuiltInCounts = { 'clock reads': 0, atomics: 0, 'file operations': 0, 'built-ins': 0 }
  const { apply } = Reflect
  const define = Object.defineProperty

  function wrap(holder: object, key: PropertyKey, kind: Kind): void {
    const descriptor = Object.getOwnPropertyDescriptor(holder, key)
    const original: unknown = descriptor?.value
    if (typeof original !== 'function' || descriptor?.configurable !== true || key === 'constructor') return
    const counting = {
      method(this: unknown, ...args: unknown[]): unknown {
        counts[kind]++
        return apply(original, this, args)
      },
    }.method
    define(counting, 'name', { value: String(key) })
    define(holder, key, { ...descriptor, value: counting })
  }
  const wrapAll = (holder: object, kind: Kind): void => {
    for (const key of Object.getOwnPropertyNames(holder)) if (!NOT_COUNTED.has(key)) wrap(holder, key, kind)
  }

  wrap(Object.getPrototypeOf(performance), 'now', 'clock reads')
  wrap(Date, 'now', 'clock reads')
  wrap(process.hrtime, 'bigint', 'clock reads')
  const { bigint } = process.hrtime
  wrap(process, 'hrtime', 'clock reads')
  process.hrtime.bigint = bigint
  wrapAll(Atomics, 'atomics')
  for (const key of Object.keys(fs)) if (key.endsWith('Sync')) wrap(fs, key, 'file operations')
  syncBuiltinESMExports()
  for (const holder of [Object, Reflect, Math, Number, JSON, String]) wrapAll(holder, 'built-ins')
  for (const { prototype } of [
    String,
    RegExp,
    Map,
    Set,
    WeakMap,
    WeakSet,
    Array,
    Date,
    TextEncoder,
    Uint8Array,
  ]) {
    wrapAll(prototype as object, 'built-ins')
  }
  wrapAll(Object.getPrototypeOf(Uint8Array.prototype) as object, 'built-ins')
  wrapAll(Buffer.prototype, 'built-ins')
  return {
    take: () => {
      const taken = { ...counts }
      for (const kind of Object.keys(counts) as Kind[]) counts[kind] = 0
      return taken
    },
  }
}

/** Used by the counting itself, or by the language behind everybody's back. */
const NOT_COUNTED = new Set(['constructor', 'toString', 'valueOf', 'toJSON'])
