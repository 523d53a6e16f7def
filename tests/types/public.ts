/** The shapes of the public face, checked by the compiler alone: nothing here runs. */

import type * as callsight from 'callsight'
import {
  type Account,
  BreakerOpenError,
  type BreakerOptions,
  type BreakerState,
  type CallFilter,
  type CallRow,
  type CallsightOptions,
  type CaptureMode,
  CircuitBreaker,
  type ClassMonitorDecorator,
  type ClassOptions,
  ConfigError,
  type Coverage,
  type CrashReport,
  configure,
  type Dashboard,
  type DashboardOptions,
  type DiffAnswer,
  type DiffFilter,
  type DropReason,
  type Duration,
  type ErrorRow,
  type FunctionTotals,
  type flush,
  type Health,
  health,
  type IncidentRow,
  type LaneAccount,
  type Limits,
  type LossRow,
  type MemberPattern,
  type MonitorAllOptions,
  type MonitorDecorator,
  type MonitorOptions,
  type monitor,
  type monitorAll,
  type OpenCallRow,
  type openStore,
  type ProcessInfo,
  type RedactContext,
  type RedactPredicate,
  type StallRow,
  type Store,
  type shutdown,
  type startDashboard,
  type TraceRow,
  type TuneOptions,
  type TuningRow,
  tune,
  type WhyAnswer,
  type WhyFilter,
} from 'callsight'
import { type ContainsAny, type Equal, holds, type IsAny } from './assertions.js'

// The checks themselves can tell.

// biome-ignore lint/suspicious/noExplicitAny: what the checks have to find
type Anything = any
holds<IsAny<Anything>>()
holds<Equal<IsAny<unknown>, false>>()
holds<Equal<IsAny<never>, false>>()
holds<ContainsAny<{ readonly deep: readonly { readonly down: Anything }[] }>>()
holds<ContainsAny<(value: Anything) => void>>()
holds<ContainsAny<() => Promise<Anything>>>()
holds<Equal<ContainsAny<{ readonly a: unknown; readonly b?: readonly string[] }>, false>>()
holds<Equal<Equal<{ a: 1 }, { readonly a: 1 }>, false>>()

// No `any` in anything a user can hold.

type Exported = typeof callsight
holds<Equal<{ [Name in keyof Exported]: IsAny<Exported[Name]> }[keyof Exported], false>>()
type Shapes = [
  Account,
  BreakerOptions,
  BreakerState,
  CallFilter,
  CallRow,
  CallsightOptions,
  CaptureMode,
  ClassMonitorDecorator,
  ClassOptions,
  Coverage,
  CrashReport,
  Dashboard,
  DashboardOptions,
  DiffAnswer,
  DiffFilter,
  DropReason,
  Duration,
  ErrorRow,
  FunctionTotals,
  Health,
  IncidentRow,
  LaneAccount,
  Limits,
  LossRow,
  MemberPattern,
  MonitorAllOptions,
  MonitorDecorator,
  MonitorOptions,
  OpenCallRow,
  ProcessInfo,
  StallRow,
  Store,
  TraceRow,
  TuneOptions,
  WhyAnswer,
  WhyFilter,
  TuningRow,
]
holds<Equal<{ [Index in keyof Shapes]: ContainsAny<Shapes[Index]> }[number], false>>()
type Functions = [
  typeof configure,
  typeof flush,
  typeof health,
  typeof monitor,
  typeof monitorAll,
  typeof openStore,
  typeof shutdown,
  typeof startDashboard,
  typeof tune,
]
holds<Equal<{ [Index in keyof Functions]: ContainsAny<Functions[Index]> }[number], false>>()

// The account.

holds<Equal<Awaited<ReturnType<typeof flush>>, Account>>()
holds<Equal<ReturnType<typeof shutdown>, Promise<Account>>>()
holds<
  Equal<
    LaneAccount,
    {
      readonly produced: number
      readonly stored: number
      readonly dropped: Readonly<Partial<Record<DropReason, number>>>
      readonly inRing: number
      readonly inJournal: number
      readonly inMemory: number
    }
  >
>()
holds<Equal<Account['balanced'], boolean>>()
holds<
  Equal<
    DropReason,
    | 'queue_full'
    | 'oversize'
    | 'breaker_open'
    | 'serialize_failed'
    | 'reentrant'
    | 'poison'
    | 'writer_lost'
    | 'shutdown'
    | 'throttled'
    | 'journal_full'
  >
>()
declare const account: Account
// @ts-expect-error an account is read, not written
account.calls.stored = 1
// @ts-expect-error reasons may be absent
const throttled: number = account.calls.dropped.throttled
void throttled

// Health.

holds<Equal<ReturnType<typeof health>, Health>>()
holds<Equal<Health['state'], 'off' | 'idle' | 'recording' | 'degraded' | 'failed' | 'stopped'>>()
holds<Equal<Health['breaker']['state'], 'closed' | 'open' | 'halfOpen'>>()
function isWell(state: Health['state']): boolean {
  switch (state) {
    case 'recording':
    case 'idle':
    case 'off':
      return true
    case 'degraded':
    case 'failed':
    case 'stopped':
      return false
  }
}
isWell(health().state)

// Configuration.

configure({})
configure({ sample: 0.5, store: { path: 'x.db', retention: '6h', maxBytes: 1e9 }, signals: false })
configure({ redact: { keys: ['pin', /^x-/], allow: ['token'] }, limits: { depth: 2 } })
configure({ redact: { when: (key, where) => where.function === 'Orders.place' && key.startsWith('x') } })
const when: RedactPredicate = (key: string) => key === 'nick'
configure({ redact: { when } })
// @ts-expect-error says yes or no
configure({ redact: { when: () => 'yes' } })
// @ts-expect-error is told where as an object that does not change
configure({ redact: { when: (_key, where: RedactContext) => (where.function = '') === '' } })
// @ts-expect-error a name is allowed as a whole
configure({ redact: { allow: [/token/] } })
// @ts-expect-error one level too high
configure({ retention: '6h' })
// @ts-expect-error misspelt
configure({ store: { pth: 'x.db' } })
// @ts-expect-error options of one function
configure({ name: 'x' })
// @ts-expect-error a list of names
configure({ redact: ['pin'] })
// @ts-expect-error nothing comes back
configure({}).then()

tune('Orders.*', { sample: 1 })
tune('Orders.*', { slow: '1s', capture: { args: false } }, { for: '10m' })
tune('Orders.*', { sample: 1 }, { for: 500 })
// @ts-expect-error patterns are text
tune(/Orders/, { sample: 1 })
// @ts-expect-error how a function is timed is settled when it is decorated
tune('*', { timing: 'sampled' })
// @ts-expect-error misspelt
tune('*', { sample: 1 }, { fro: '10m' })
// @ts-expect-error no such unit
tune('*', { sample: 1 }, { for: '10 minutes' })

const durations: Duration[] = [0, 1.5, '250ms', '10s', '5m', '6h', '7d', '0.5s']
void durations
// @ts-expect-error a unit is required
const unitless: Duration = '10'
void unitless

// The breaker for users.

const breaker = new CircuitBreaker({ failureThreshold: 5 })
const opened = new BreakerOpenError(breaker.state.kind === 'open' ? 1_000 : 0)
holds<Equal<typeof opened.code, 'CALLSIGHT_BREAKER_OPEN'>>()
const answer = breaker.run(() => 42)
holds<Equal<typeof answer, number>>()
const answered = breaker.run(async () => 'later')
holds<Equal<typeof answered, Promise<string>>>()
holds<Equal<IsAny<ReturnType<CircuitBreaker['snapshot']>>, false>>()

const refused = new ConfigError('no')
holds<Equal<typeof refused.code, 'CALLSIGHT_CONFIG'>>()

const error: Error = refused
void error
