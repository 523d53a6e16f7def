import type { CallRow, ErrorDetail, TraceRow } from '../store/queries/statements.js'
import { callTable, DURATION } from './calls.js'
import { formatDuration } from './format.js'
import type { Screen } from './screen.js'
import { formatShape } from './shape.js'
import { visible, visibleLines } from './text.js'
import { renderTrace } from './trace-tree.js'

/** An error with what surrounds it. */
export interface ErrorInContext extends ErrorDetail {
  readonly trace: readonly TraceRow[]
  /** Recorded calls of its process that ended before it, newest first. */
  readonly before: readonly CallRow[]
}

/** One error whole: what a person needs who has only this screen. */
export function renderError(error: ErrorInContext, screen: Screen): string {
  const { trace, before } = error
  const lines = [
    screen.style('red', `${visible(error.error)}: ${visibleLines(error.message).join('\n')}`),
    '',
    field('function', error.function, screen),
    field('at', error.at, screen),
    field('duration', formatDuration(error.duration_ms), screen),
    field('call', error.call_id + (error.parent_id === null ? '' : `, called by ${error.parent_id}`), screen),
    field('process', error.process, screen),
    field('alike', `fingerprint ${error.fingerprint}`, screen),
    ...section('Arguments', prettyJson(error.args), screen),
    ...section('Arguments, by type and size only', shapeOf(error), screen),
    ...section('Stack', error.stack === null ? null : visibleLines(error.stack), screen),
    ...section('Details', prettyJson(error.details), screen),
    ...section('Left out by capture', prettyJson(error.cuts), screen),
  ]
  const tree = trace.length === 0 ? '' : `\n${renderTrace(trace, screen)}`
  const earlier =
    before.length === 0
      ? ''
      : `\n${screen.style('bold', `Before it in ${visible(error.process)}, newest first`)}\n${callTable([DURATION], before, screen)}`
  return `${lines.join('\n')}\n${tree}${earlier}`
}

function shapeOf(error: ErrorDetail): string[] | null {
  return error.args !== null || error.shape === null ? null : visibleLines(formatShape(error.shape))
}

function field(name: string, value: string, screen: Screen): string {
  return `${screen.style('dim', name.padEnd(10))}${visible(value)}`
}

function section(title: string, lines: readonly string[] | null, screen: Screen): string[] {
  return lines === null ? [] : ['', screen.style('bold', title), ...lines.map(text => `  ${text}`)]
}

function prettyJson(json: string | null): string[] | null {
  if (json === null) return null
  try {
    return visibleLines(JSON.stringify(JSON.parse(json), null, 2))
  } catch {
    return visibleLines(json)
  }
}
