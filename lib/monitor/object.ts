import { types } from 'node:util'
import { monitorClass } from './class.js'
import { isClass, isOfEngine, type Plan } from './members.js'
import { isMonitored } from './monitored.js'
import { memberName, memberText } from './naming.js'
import type { AnyFunction } from './shape.js'
import { wrap } from './wrap.js'

export type NamedPlan = Plan & { readonly name: string }

/** What came of the members that fit. */
export interface Outcome {
  readonly taken: number
  /** Names of functions that cannot be replaced. */
  readonly fixed: readonly string[]
  /** Why nothing else was taken. */
  readonly passedOver: string
}

interface Member {
  readonly key: string | symbol
  readonly descriptor: PropertyDescriptor
}

/** Replaces functions of an object in place; inherited ones get a monitored twin on the object itself. */
export function monitorObject(
  target: object,
  plan: NamedPlan,
  inherited: boolean,
  classes: boolean,
): Outcome {
  const wrapperFor = memory(plan)
  const fixed: string[] = []
  let taken = 0
  for (const { key, descriptor } of membersOf(target, inherited)) {
    const value = descriptor.value as unknown
    if (classes && isPlainFunction(value) && isClass(value)) taken += monitorClassMember(value, key, plan)
    if (!isReplaceable(value) || !plan.selection.takes(key)) continue
    if (isMonitored(value)) taken++
    else if (Reflect.defineProperty(target, key, { ...descriptor, value: wrapperFor(value, key) })) taken++
    else fixed.push(memberText(key))
  }
  return {
    taken,
    fixed,
    passedOver: taken > 0 || fixed.length > 0 ? '' : whyNothing(target, plan, inherited),
  }
}

/** Gives each function one wrapper, so that two names of a function still hold the same one. */
export function memory(plan: NamedPlan): (fn: AnyFunction, key: string | symbol) => AnyFunction {
  const wrappers = new WeakMap<AnyFunction, AnyFunction>()
  return (fn, key) => {
    let wrapper = wrappers.get(fn)
    if (wrapper === undefined) {
      wrapper = wrap(fn, memberName(plan.name, key), plan.options)
      wrappers.set(fn, wrapper)
    }
    return wrapper
  }
}

export function monitorClassMember(value: Function, key: string | symbol, plan: NamedPlan): number {
  if (isOfEngine(value)) return 0
  return monitorClass(value, { ...plan, name: memberName(plan.name, key) }, `${memberText(key)}.`)
}

/** No class, and no Proxy, which could not be asked whether it is one without running its traps. */
export function isReplaceable(value: unknown): value is AnyFunction {
  return isPlainFunction(value) && !isClass(value)
}

export function isPlainFunction(value: unknown): value is AnyFunction {
  return typeof value === 'function' && !types.isProxy(value)
}

function membersOf(target: object, inherited: boolean): readonly Member[] {
  const members = new Map<string | symbol, Member>()
  let holder: object | null = target
  while (holder !== null && !types.isProxy(holder) && (holder === target || !isRoot(holder))) {
    for (const key of Reflect.ownKeys(holder)) {
      const descriptor = Object.getOwnPropertyDescriptor(holder, key)
      if (descriptor === undefined || key === 'constructor' || members.has(key)) continue
      members.set(key, { key, descriptor })
    }
    holder = inherited ? (Object.getPrototypeOf(holder) as object | null) : null
  }
  return [...members.values()]
}

/** `Object.prototype` or `Function.prototype`, of this realm or another. */
function isRoot(holder: object): boolean {
  return Object.hasOwn(holder, typeof holder === 'function' ? 'bind' : 'isPrototypeOf')
}

function whyNothing(target: object, { selection }: Plan, inherited: boolean): string {
  const fitting = (members: readonly Member[]) => members.filter(({ key }) => selection.takes(key))
  const own = fitting(membersOf(target, inherited))
  if (own.some(({ descriptor }) => isPlainFunction(descriptor.value))) {
    return 'only classes fit, and those need { classes: true } and patterns such as Class.method'
  }
  if (
    !inherited &&
    fitting(membersOf(target, true)).some(({ descriptor }) => isReplaceable(descriptor.value))
  ) {
    return 'only inherited functions fit, and those need { inherited: true }'
  }
  if (own.some(({ descriptor }) => descriptor.get !== undefined)) {
    return 'only getters fit, and those are not run; give it a copy, monitorAll({ ...object })'
  }
  return 'no function of the object fits'
}
