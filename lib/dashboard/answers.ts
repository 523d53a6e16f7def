import { surroundingsOf } from '../store/queries/calls-before.js'
import { readCoverage } from '../store/queries/coverage.js'
import { oneOf, toBounds } from '../store/queries/filter.js'
import { readFunctionDetail } from '../store/queries/function-detail.js'
import { readOverview } from '../store/queries/overview.js'
import { type Range, rangeOf, readRecorded, stepsOf } from '../store/queries/range.js'
import { readRecorder } from '../store/queries/recorder.js'
import { readTail } from '../store/queries/tail.js'
import { WHY_OF, type WhyOf } from '../store/queries/why.js'
import { askStore, type Store, slowestCalls } from '../store/read.js'
import { whyMissing } from '../wording/not-shown.js'
import type { Api, ErrorAnswer, ErrorGroup, FunctionAnswer } from './api.js'
import type { Parameters } from './parameters.js'

/** There is nothing by that name. */
export class NotFound extends Error {}

/** Rows beside the figures of one function. */
const ROWS_OF_FUNCTION = 20
/** A page comes within 300 ms; this is what its dearest part may take of them. */
const PATIENCE_MS = 120
const CALLS_BEFORE_ERROR = 20
const OCCURRENCES = 100
const INCIDENTS = 100
/** Groups of errors that are summed up by class. */
const MAX_GROUPS = 1_000
const TRACE_CALLS = 2_000
const MAX_TRACE_CALLS = 10_000

type Answers = { readonly [Path in keyof Api]: (request: Request) => Api[Path] }

interface Request {
  readonly store: Store
  readonly parameters: Parameters
  readonly version: string
}

const ANSWERS: Answers = {
  '/api/session': ({ store, version }) =>
    askStore(store, (read, nowMs) => {
      const { range, isLive } = readRecorded(read, nowMs)
      return { version, path: store.path, recorded: range, nowMs, isLive }
    }),

  '/api/overview': ({ store, parameters }) =>
    askStore(store, (read, nowMs) => {
      const recorded = readRecorded(read, nowMs)
      const filter = { function: parameters.optional('function'), limit: parameters.limit(100) }
      return readOverview(read, rangeOf(spanOf(parameters), recorded, nowMs), filter, recorded, nowMs)
    }),

  '/api/function': ({ store, parameters }) => {
    const name = parameters.required('name')
    const figures = askStore(store, (read, nowMs) => {
      const recorded = readRecorded(read, nowMs)
      return readFunctionDetail(read, name, rangeOf(spanOf(parameters), recorded, nowMs), recorded)
    })
    if (figures === null) throw new NotFound(`No function ${JSON.stringify(name)} in this recording.`)
    const scope = {
      ...momentsOf(figures.range),
      function: exactly(name),
      limit: parameters.limit(ROWS_OF_FUNCTION),
    }
    const slowest = slowestCalls(store, scope, PATIENCE_MS)
    return {
      ...figures,
      outcomes: {
        ...figures.outcomes,
        byError: byError(store.errorGroups({ ...scope, limit: MAX_GROUPS, steps: 1 })),
      },
      slowest: slowest.calls,
      isSlowestComplete: slowest.isComplete,
      failed: store.errors(scope),
      coverage: store.coverage(scope),
    }
  },

  '/api/why': ({ store, parameters }) => {
    const name = parameters.required('name')
    return store.why({
      ...momentsOf(askedRange(store, parameters)),
      function: name,
      of: oneOf('of', parameters.optional('of') as WhyOf | undefined, WHY_OF) ?? undefined,
      minDurationMs: parameters.minDuration(),
    })
  },

  '/api/errors': ({ store, parameters }) => {
    const { range, count } = stepsOf(askedRange(store, parameters))
    const scope = {
      ...momentsOf(range),
      function: parameters.optional('function'),
      error: parameters.optional('error'),
      limit: parameters.limit(100),
      steps: count,
    }
    return { range, groups: store.errorGroups(scope), coverage: store.coverage(scope) }
  },

  '/api/error-group': ({ store, parameters }) => {
    const { range, count } = stepsOf(askedRange(store, parameters))
    const fingerprint = parameters.required('fingerprint')
    const scope = { ...momentsOf(range), fingerprint, limit: parameters.limit(OCCURRENCES) }
    const [group] = store.errorGroups({ ...scope, steps: count })
    if (group === undefined) throw new NotFound('No error of this group in this span of time.')
    return { range, group, occurrences: store.errors(scope), coverage: store.coverage(momentsOf(range)) }
  },

  '/api/error': ({ store, parameters }): ErrorAnswer => {
    const [error] = store.error(parameters.required('call'))
    if (error === undefined)
      throw new NotFound(`No error of this call in this recording. ${whyMissing(store.coverage(), 'errors')}`)
    return {
      error,
      ...surroundingsOf(store, error, { trace: TRACE_CALLS, before: CALLS_BEFORE_ERROR }),
      coverage: store.coverage(),
    }
  },

  '/api/calls': ({ store, parameters }) => {
    const range = askedRange(store, parameters)
    const scope = { ...momentsOf(range), function: parameters.optional('function') }
    const calls = store.calls({
      ...scope,
      outcome: parameters.outcome(),
      minDurationMs: parameters.minDuration(),
      limit: parameters.limit(100),
    })
    return { range, calls, coverage: store.coverage(scope) }
  },

  '/api/trace': ({ store, parameters }) => ({
    calls: store.trace(parameters.required('id'), { limit: parameters.limit(TRACE_CALLS, MAX_TRACE_CALLS) }),
    coverage: store.coverage(),
  }),

  '/api/tail': ({ store, parameters }) =>
    askStore(store, (read, nowMs) => {
      const options = {
        function: parameters.optional('function'),
        outcome: parameters.outcome(),
        limit: parameters.limit(100),
        after: parameters.optional('after'),
      }
      return read.snapshot(() => readTail(read, options, nowMs))
    }),

  '/api/health': ({ store, parameters }) =>
    askStore(store, (read, nowMs) => {
      const steps = stepsOf(rangeOf(spanOf(parameters), readRecorded(read, nowMs), nowMs))
      const { range } = steps
      return {
        range,
        ...readRecorder(read, steps, nowMs),
        incidents: store.incidents({ ...momentsOf(range), limit: INCIDENTS }),
        coverage: read.snapshot(() => readCoverage(read, toBounds(momentsOf(range), nowMs), nowMs)),
      }
    }),
}

/** @throws NotFound when there is no such address */
export function answerTo(store: Store, address: string, parameters: Parameters, version: string): unknown {
  if (!isAddress(address)) throw new NotFound('There is nothing at this address.')
  return ANSWERS[address]({ store, parameters, version })
}

function isAddress(path: string): path is keyof Api {
  return Object.hasOwn(ANSWERS, path)
}

function askedRange(store: Store, parameters: Parameters): Range {
  return askStore(store, (read, nowMs) => rangeOf(spanOf(parameters), readRecorded(read, nowMs), nowMs))
}

function spanOf(parameters: Parameters) {
  return { since: parameters.moment('since'), until: parameters.moment('until') }
}

function momentsOf({ sinceMs, untilMs }: Range) {
  return { since: new Date(sinceMs), until: new Date(untilMs) }
}

/** All errors of a group are of one class. The most frequent first. */
function byError(groups: readonly ErrorGroup[]): FunctionAnswer['outcomes']['byError'] {
  const counts = new Map<string, number>()
  for (const { error, count } of groups) counts.set(error, (counts.get(error) ?? 0) + count)
  return [...counts].map(([error, count]) => ({ error, count })).sort((a, b) => b.count - a.count)
}

/** A name as a pattern; an asterisk or question mark in it stands for any one character. */
function exactly(name: string): string {
  return name.replaceAll(/[*?]/g, '?')
}
