import { health, type MonitorOptions, monitor } from 'callsight'
import type { Classes, Mark, Whole } from '../fixtures/src/semantics-subject.js'
import type { Heir, Vault } from '../fixtures/src/semantics-subject.standard.js'
import { type Dialect, load } from './fixtures.js'

type SubjectModule = typeof import('../fixtures/src/semantics-subject.js')
type StandardModule = typeof import('../fixtures/src/semantics-subject.standard.js')
type AnyFunction = (...args: never[]) => unknown

/** One way to get the same functions and classes: bare, or monitored in one of the three ways. */
export interface Variant {
  readonly name: string
  readonly monitored: boolean
  readonly classes: Classes
  readonly whole: Whole
  /** `null`: this way cannot reach private members and fields. */
  readonly vault: Vault | null
  readonly heir: Heir | null
  readonly wrap: <F extends AnyFunction>(fn: F) => F
}

export const symbolKeyOf = async (): Promise<symbol> =>
  (await load<SubjectModule>('standard', 'semantics-subject')).symbolKey

/** Records of both lanes begun so far. */
export function produced(): number {
  const { calls, errors } = health().account
  return calls.produced + errors.produced
}

function markWith(options: MonitorOptions): Mark {
  return () => monitor(options)
}

async function dialectVariant(dialect: Dialect, name: string, options: MonitorOptions): Promise<Variant> {
  const subject = await load<SubjectModule>(dialect, 'semantics-subject')
  const mark = markWith(options)
  const standard =
    dialect === 'standard' ? await load<StandardModule>(dialect, 'semantics-subject.standard') : null
  return {
    name,
    monitored: true,
    classes: subject.declareClasses(mark),
    whole: subject.declareWhole(mark),
    vault: standard?.declareStandardOnly(mark) ?? null,
    heir: standard?.declareStandardHeir(mark) ?? null,
    wrap: dialect === 'legacy' ? wrapLegacy(options) : wrapStandard(options),
  }
}

/** What the code emitted for `experimentalDecorators` does with one method. */
function wrapLegacy(options: MonitorOptions) {
  return <F extends AnyFunction>(fn: F): F => {
    const decorate = monitor(options) as unknown as (...args: unknown[]) => PropertyDescriptor
    const descriptor = { value: fn, writable: true, enumerable: false, configurable: true }
    return decorate({}, 'member', descriptor).value as F
  }
}

/** What the standard says of one method. */
function wrapStandard(options: MonitorOptions) {
  return <F extends AnyFunction>(fn: F): F => {
    const decorate = monitor(options) as unknown as (...args: unknown[]) => F
    const access = { has: () => true, get: () => fn }
    return decorate(fn, { kind: 'method', name: 'member', static: false, private: false, access })
  }
}

/** `monitor(fn)` around every member of the bare classes. */
async function functionVariant(name: string, options: MonitorOptions): Promise<Variant> {
  const subject = await load<SubjectModule>('standard', 'semantics-subject')
  const classes = subject.declareClasses(subject.bare)
  const wrap = <F extends AnyFunction>(fn: F): F => monitor(fn, options)
  for (const Class of [classes.Base, classes.Child]) {
    wrapMembers(Class, wrap)
    wrapMembers(Class.prototype, wrap)
  }
  const whole = subject.declareWhole(subject.bare)
  wrapMembers(whole, wrap)
  wrapMembers(whole.prototype, wrap)
  return { name, monitored: true, classes, whole, vault: null, heir: null, wrap }
}

function wrapMembers(holder: object, wrap: <F extends AnyFunction>(fn: F) => F): void {
  for (const key of Reflect.ownKeys(holder)) {
    const descriptor = Object.getOwnPropertyDescriptor(holder, key)
    if (descriptor === undefined || key === 'constructor' || key === 'prototype' || key === 'Inner') continue
    if (typeof descriptor.value === 'function') descriptor.value = wrap(descriptor.value as AnyFunction)
    if (descriptor.get !== undefined) descriptor.get = wrap(descriptor.get as AnyFunction) as () => unknown
    if (descriptor.set !== undefined) {
      descriptor.set = wrap(descriptor.set as AnyFunction) as (value: unknown) => void
    }
    if (descriptor.configurable === true) Object.defineProperty(holder, key, descriptor)
  }
}

async function bareVariant(): Promise<Variant> {
  const subject = await load<SubjectModule>('standard', 'semantics-subject')
  const { declareStandardOnly, declareStandardHeir } = await load<StandardModule>(
    'standard',
    'semantics-subject.standard',
  )
  return {
    name: 'bare',
    monitored: false,
    classes: subject.declareClasses(subject.bare),
    whole: subject.declareWhole(subject.bare),
    vault: declareStandardOnly(subject.bare),
    heir: declareStandardHeir(subject.bare),
    wrap: fn => fn,
  }
}

/** Every way there is, recorded, not sampled, and not even timed: the three paths through the wrapper. */
export async function allVariants(): Promise<readonly Variant[]> {
  const ways: readonly (readonly [string, MonitorOptions])[] = [
    ['', {}],
    [', not sampled', { sample: 0 }],
    [', not timed', { sample: 0, timing: 'sampled' }],
  ]
  const variants = [await bareVariant()]
  for (const [suffix, options] of ways) {
    variants.push(
      await dialectVariant('legacy', `legacy${suffix}`, options),
      await dialectVariant('standard', `standard${suffix}`, options),
      await functionVariant(`monitor(fn)${suffix}`, options),
    )
  }
  return variants
}
