import {
  type Account,
  BreakerOpenError,
  CircuitBreaker,
  configure,
  type Duration,
  flush,
  type Health,
  health,
  type MonitorOptions,
  monitor,
  shutdown,
  tune,
} from 'callsight'

const options: MonitorOptions = {
  sample: 0.01,
  slow: '250ms',
  capture: { args: 'types' },
  redact: [0, 'card.number'],
}

@monitor()
export class Repository {
  @monitor(options)
  find<T extends { id: string }>(this: Repository, kind: T, ...ids: string[]): T | undefined {
    return ids.includes(kind.id) ? kind : undefined
  }

  @monitor()
  async *pages(): AsyncGenerator<number, void, string> {
    yield 1
  }

  @monitor()
  get size(): number {
    return 1
  }

  // @ts-expect-error no such option
  @monitor({ samplerate: 0.5 })
  // @ts-expect-error a length of time has a unit, or is a number
  @monitor({ slow: 'soon' })
  wrong(): void {}
}

// monitor(fn) gives back the type it was given: generics, overloads and this.
export const first = monitor(function first<T>(list: readonly T[]): T | undefined {
  return list[0]
})
export const one: number | undefined = first([1, 2])
// @ts-expect-error a list of numbers has no text in it
export const text: string | undefined = first([1, 2])

configure({ store: { path: 'calls.db', retention: '6h' }, limits: { depth: 2 }, signals: false })
// @ts-expect-error retention belongs to the store
configure({ retention: '6h' })
tune('Repository.*', { sample: 1 }, { for: '10m' satisfies Duration })

export const account: Promise<Account> = flush().then(() => shutdown())
export const state: Health['state'] = health().state
export const guarded: number = new CircuitBreaker({ failureThreshold: 3 }).run(() => 1)
export const isOpen = (error: unknown): boolean => error instanceof BreakerOpenError
