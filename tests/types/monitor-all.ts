/** What `monitorAll` and whole classes do to types, checked by the compiler alone: nothing here runs. */
import * as path from 'node:path'
import {
  type ClassMonitorDecorator,
  type ClassOptions,
  type MemberPattern,
  type MonitorAllOptions,
  type MonitorOptions,
  monitor,
  monitorAll,
} from 'callsight'
import { type ContainsAny, type Equal, holds, type IsAny } from './assertions.js'

holds<Equal<ContainsAny<[ClassOptions, MonitorAllOptions, MemberPattern, typeof monitorAll]>, false>>()

// The target comes back as what it is.

interface Client {
  get(key: string): Promise<string | null>
  get(key: string, fallback: string): Promise<string>
  map<T>(items: readonly T[]): T[]
  pick<K extends keyof Client>(this: Client, key: K): Client[K]
  steps(): Generator<number, string, boolean>
  stream(): AsyncGenerator<Uint8Array>
  isText(value: unknown): value is string
  readonly size: number
}
declare const client: Client
const monitored = monitorAll(client, ['get*', /^m/, Symbol.iterator], { name: 'redis' })
holds<Equal<typeof monitored, Client>>()
const withFallback = monitored.get('a', 'b')
holds<Equal<typeof withFallback, Promise<string>>>()
const mapped = monitored.map([1 as const])
holds<Equal<typeof mapped, 1[]>>()
const picked = monitored.pick('size')
holds<Equal<typeof picked, number>>()
// @ts-expect-error no overload takes a number
void monitored.get(1)
// @ts-expect-error it stays readonly
monitored.size = 1

const namespace = monitorAll(path, 'join')
holds<Equal<typeof namespace, typeof path>>()
holds<Equal<IsAny<typeof namespace.join>, false>>()

const literal = monitorAll({ run: (n: number) => n, kind: 'literal' as const })
holds<Equal<typeof literal, { run: (n: number) => number; kind: 'literal' }>>()

abstract class Repository<T extends { readonly id: string }> {
  protected constructor(readonly table: string) {}
  abstract find(id: T['id']): Promise<T | undefined>
  static of(): void {}
}
const sameClass = monitorAll(Repository, { exclude: ['of'] })
holds<Equal<typeof sameClass, typeof Repository>>()
const callable = monitorAll(Object.assign((n: number) => n, { close: () => {} }))
holds<Equal<ReturnType<typeof callable>, number>>()

monitorAll(client)
monitorAll(client, '*')
monitorAll(client, /^get/)
monitorAll(client, ['get', Symbol.iterator] as const)
monitorAll(client, { inherited: true, classes: true, sample: 0.1, redact: [0] })
// @ts-expect-error text is no object
monitorAll('text')
// @ts-expect-error a pattern is no number
monitorAll(client, 7)
// @ts-expect-error misspelt
monitorAll(client, '*', { inherit: true })
// @ts-expect-error options come once
monitorAll(client, {}, {})
// @ts-expect-error a list of members
monitorAll(client, { exclude: 'get' })

// `exclude` is for whole classes, and its decorator fits nowhere else.

const forClasses = monitor({ exclude: ['health', /^_/, Symbol.iterator], sample: 0.1 })
holds<Equal<typeof forClasses, ClassMonitorDecorator>>()
// @ts-expect-error not an option of one function
const ofOne: MonitorOptions = { exclude: ['health'] }
// @ts-expect-error not an option of a plain function
monitor(() => {}, { exclude: ['health'] })
// @ts-expect-error names, symbols and expressions
monitor({ exclude: [7] })
void ofOne

@monitor({ exclude: ['health'] })
class Whole {
  @monitor({ sample: 0 })
  own<T>(value: T): T {
    return value
  }

  // @ts-expect-error a method has nothing to exclude
  @monitor({ exclude: ['health'] })
  refused(): void {}
}
monitor({ exclude: ['health'] })(Whole)

@monitor({ exclude: [/^_/] })
abstract class Hidden {
  private constructor(readonly id: string) {}
  accessor title: string = ''
  abstract run(): void
}
void Hidden
