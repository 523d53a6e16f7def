export type { BreakerOptions, BreakerState } from './breaker/circuit-breaker.js'
export { CircuitBreaker } from './breaker/circuit-breaker.js'
export { BreakerOpenError } from './breaker/errors.js'
export { ConfigError } from './config/errors.js'
export type {
  CallsightOptions,
  CaptureMode,
  CaptureOptions,
  ClassOptions,
  Duration,
  Limits,
  MemberPattern,
  MonitorAllOptions,
  MonitorOptions,
  RedactContext,
  RedactPredicate,
  TuneDuration,
  TuneOptions,
} from './config/options.js'
export { DashboardError } from './dashboard/errors.js'
export type { Dashboard, DashboardOptions } from './dashboard/start.js'
export type { Health } from './health.js'
export type { ClassMonitorDecorator, MonitorDecorator } from './monitor/monitor.js'
export { monitor } from './monitor/monitor.js'
export { monitorAll } from './monitor/monitor-all.js'
export { continueTrace, traceparent } from './monitor/traceparent.js'
export type { Account, LaneAccount } from './queue/account.js'
export type { DropReason } from './queue/layout.js'
export { configure, flush, health, shutdown, startDashboard, tune } from './recorder.js'
export { DriverError, ForeignStoreError } from './store/errors.js'
export { openStore } from './store/open-store.js'
export type { ErrorName } from './store/queries/calls-before.js'
export type { Coverage, Expired, ProcessInfo, ProcessState } from './store/queries/coverage.js'
export type { CrashReport, InFlight, SecondTotals, ThreadLook } from './store/queries/crash.js'
export type {
  DiffAnswer,
  DiffAnswerSide,
  DiffFilter,
  DiffSide,
  FunctionDiff,
  MeasureDiff,
  Verdict,
} from './store/queries/diff.js'
export type { ErrorGroup } from './store/queries/error-groups.js'
export type {
  CallFilter,
  ErrorFilter,
  ErrorGroupFilter,
  IncidentFilter,
  LossFilter,
  Moment,
  OpenCallFilter,
  Outcome,
  StallFilter,
  TailOptions,
  TotalFilter,
} from './store/queries/filter.js'
export type { HiddenName, HiddenNames, HiddenPlace } from './store/queries/hidden.js'
export type { RecordedCall } from './store/queries/record-slices.js'
export type { BreakerName, RecorderFigures } from './store/queries/recorder-figures.js'
export type { SlowCall } from './store/queries/slow.js'
export type {
  CallRow,
  ErrorDetail,
  ErrorRow,
  FunctionTotals,
  IncidentRow,
  LossRow,
  OpenCallRow,
  Recorded,
  StallRow,
  TraceRow,
} from './store/queries/statements.js'
export type { LaneStats, RecorderStats, StoreStats } from './store/queries/stats.js'
export type { Tail, TailCall } from './store/queries/tail.js'
export type { Trend } from './store/queries/trends.js'
export type { TuningRow } from './store/queries/tunings.js'
export type { Separation, SideCounts, WhyAnswer, WhyFilter } from './store/queries/why.js'
export type { OpenStoreOptions, Store } from './store/read.js'
export {
  StoreNotFoundError,
  StoreQueryError,
  StoreReadError,
} from './store/read-errors.js'
