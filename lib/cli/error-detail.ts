import type { Surroundings } from '../store/queries/calls-before.js'
import type { ErrorDetail } from '../store/queries/statements.js'
import { parseRecorded } from '../store/recorded-json.js'
import { formatDuration } from '../wording/format.js'
import { formatShape } from '../wording/shape.js'
import { visible, visibleLines } from '../wording/text.js'
import { callTable, DURATION } from './calls.js'
import { field } from './paragraph.js'
import type { Screen } from './screen.js'
import { renderTrace } from './trace-tree.js'

/** An error with what surrounds it. */
export interface ErrorInContext extends ErrorDetail, Surroundings {}

const NAME_WIDTH = 10
/** More than capture follows. */
const MAX_CAUSES = 20

/** One error whole: what a person needs who has only this screen. */
export function renderError(error: ErrorInContext, screen: Screen): string {
  const { trace, before } = error
  const row = (name: string, value: string) => field(screen, name, value, NAME_WIDTH)
  const lines = [
    ...section('Arguments', prettyJson(error.args), screen),
    ...section('Arguments, by type and size only', shapeOf(error), screen),
    ...section('Stack', error.stack === null ? null : visibleLines(error.stack), screen),
    ...section('Caused by', causesOf(error.details), screen),
    ...section('Details', prettyJson(error.details), screen),
    ...section('Left out by capture', prettyJson(error.cuts), screen),
  ]
  return [
    `${screen.style('red', `${visible(error.error)}: ${visibleLines(error.message).join('\n')}`)}\n\n`,
    row('function', error.function),
    row('at', error.at),
    row('duration', formatDuration(error.duration_ms)),
    row('call', error.call_id + (error.parent_id === null ? '' : `, called by ${error.parent_id}`)),
    row('process', error.process),
    row('alike', `callsight errors ${error.fingerprint}`),
    lines.map(line => `${line}\n`).join(''),
    trace.length === 0 ? '' : `\n${renderTrace(trace, screen)}`,
    before.length === 0
      ? ''
      : `\n${screen.style('bold', `Also before it in ${visible(error.process)}, newest first`)}\n${callTable([DURATION], before, screen)}`,
  ].join('')
}

/** The chain of causes, one a line; whatever else is stored of them stands among the details. */
function causesOf(details: string | null): string[] | null {
  const causes: string[] = []
  for (let at = causeIn(parsed(details)); at !== null && causes.length < MAX_CAUSES; at = causeIn(at)) {
    const { '@class': type, message } = at
    if (typeof type === 'string') causes.push(...visibleLines(`${type}: ${String(message ?? '')}`))
  }
  return causes.length === 0 ? null : causes
}

function causeIn(details: unknown): Readonly<Record<string, unknown>> | null {
  if (typeof details !== 'object' || details === null || !('cause' in details)) return null
  const { cause } = details
  return typeof cause === 'object' ? (cause as Readonly<Record<string, unknown>> | null) : null
}

function parsed(json: string | null): unknown {
  try {
    return json === null ? null : parseRecorded(json)
  } catch {
    return null
  }
}

function shapeOf(error: ErrorDetail): string[] | null {
  return error.args !== null || error.shape === null ? null : visibleLines(formatShape(error.shape))
}

function section(title: string, lines: readonly string[] | null, screen: Screen): string[] {
  return lines === null ? [] : ['', screen.style('bold', title), ...lines.map(text => `  ${text}`)]
}

function prettyJson(json: string | null): string[] | null {
  if (json === null) return null
  try {
    return visibleLines(JSON.stringify(parseRecorded(json), null, 2))
  } catch {
    return visibleLines(json)
  }
}
