import type { CrashReport, InFlight } from '../store/queries/crash.js'
import { formatCount, formatDuration } from '../wording/format.js'
import { argumentsText } from '../wording/shape.js'
import { paragraph } from './paragraph.js'
import type { Screen } from './screen.js'
import { type Column, renderTable } from './table.js'

type FlightCall = InFlight['calls'][number]

/** A line of the table: a call, or how many are left out at this place. */
type Line = FlightCall | { readonly thread: number; readonly depth: number | null; readonly between: number }

/** Of a deep stack this many outermost and innermost calls are shown. */
const STACK_END = 10
/** Of many pending calls this many of the oldest and of the newest are shown. */
const PENDING_END = 5
const MAX_THREADS = 4
/** Levels of a stack that are indented, by the least width of the screen. */
const INDENT_LEVELS = [
  [100, 16],
  [60, 8],
  [0, 3],
] as const

/** What a process was doing when it was looked at last: of each thread its stack, then what it waits for. */
export function callsInFlight({ inFlight, boot }: CrashReport, screen: Screen): string {
  const { calls, threads, open } = inFlight
  if (threads.length === 0)
    return paragraph(screen, 'Nothing is known of them: the writer had not looked yet.')
  const shownThreads = [...new Set(calls.map(({ thread }) => thread))].slice(0, MAX_THREADS)
  const lines = shownThreads.flatMap(shown => linesOf(calls.filter(({ thread }) => thread === shown)))
  const shown = lines.filter(isCall)
  const hidden = calls.length - shown.length
  const note = (when: boolean, text: string) => (when ? paragraph(screen, text, 'dim') : '')
  return [
    shown.length === 0 ? '' : renderTable(columnsOf(threads.length > 1, screen), lines, screen),
    hidden === 0
      ? ''
      : paragraph(
          screen,
          `${formatCount(hidden)} more ${hidden === 1 ? 'is' : 'are'} known: callsight crash --process ${boot} --json`,
          'yellow',
        ),
    paragraph(
      screen,
      `The writer last looked ${blindText(threads)} before the last sign of life; what began after that is not listed, and a listed call may have ended since. ${listedText(inFlight)}`,
      open === inFlight.listed ? 'dim' : 'yellow',
    ),
    note(
      shown.some(({ depth }) => depth === null),
      'pending: it had returned a promise or a generator that was not done.',
    ),
    note(
      shown.some(({ timed }) => timed === 0),
      '≥: not timed, so only how long the writer has known of it.',
    ),
  ].join('')
}

function isCall(line: Line): line is FlightCall {
  return !('between' in line)
}

function linesOf(calls: readonly FlightCall[]): Line[] {
  const stack = calls.filter(({ depth }) => depth !== null)
  const pending = calls.filter(({ depth }) => depth === null)
  return [...stackLines(ends(stack, STACK_END)), ...pendingLines(pending)]
}

function ends<T>(items: readonly T[], each: number): T[] {
  return items.length <= 2 * each ? [...items] : [...items.slice(0, each), ...items.slice(-each)]
}

/** Wherever the depth leaps, calls are missing: they are left out here, or the writer has not read them. */
function stackLines(shown: readonly FlightCall[]): Line[] {
  return shown.flatMap((call, index) => {
    const missing = (call.depth ?? 0) - (shown[index - 1]?.depth ?? -1) - 1
    const { thread } = call
    return missing > 0 ? [{ thread, depth: 0, between: missing }, call] : [call]
  })
}

function pendingLines(pending: readonly FlightCall[]): Line[] {
  const lines: Line[] = ends(pending, PENDING_END)
  const [first] = pending
  const hidden = pending.length - lines.length
  if (first !== undefined && hidden > 0)
    lines.splice(PENDING_END, 0, { thread: first.thread, depth: null, between: hidden })
  return lines
}

function columnsOf(withThread: boolean, screen: Screen): Column<Line>[] {
  const columns: Column<Line>[] = [
    { header: 'AGE', value: line => (isCall(line) ? ageText(line) : ''), align: 'right' },
    {
      header: 'STATE',
      value: ({ depth }) => (depth === null ? 'pending' : 'on stack'),
      style: () => 'dim',
    },
    {
      header: 'FUNCTION',
      value: line =>
        isCall(line)
          ? `${'  '.repeat(indentOf(line, screen))}${line.function}`
          : `… ${formatCount(line.between)} between`,
      style: line => (isCall(line) ? 'bold' : 'dim'),
      min: 20,
      max: 60,
    },
    { header: 'ARGUMENTS', value: line => (isCall(line) ? argumentsText(line) : ''), min: 0 },
  ]
  if (!withThread) return columns
  const value = ({ thread }: Line) => (thread === 0 ? 'main' : String(thread))
  return [{ header: 'THREAD', value, style: () => 'dim' }, ...columns]
}

function ageText({ age_ms, timed }: FlightCall): string {
  return `${timed === 1 ? '' : '≥'}${formatDuration(age_ms)}`
}

function indentOf({ depth }: FlightCall, { width }: Screen): number {
  const [, levels] = INDENT_LEVELS.find(([least]) => (width ?? Number.POSITIVE_INFINITY) >= least) ?? [0, 0]
  return Math.max(0, Math.min(depth ?? 0, levels))
}

/** One figure, or the two ends when the threads were looked at at different times. */
function blindText(threads: InFlight['threads']): string {
  const blind = threads.map(({ blindMs }) => blindMs)
  const [least, most] = [formatDuration(Math.min(...blind)), formatDuration(Math.max(...blind))]
  return least === most ? least : `${least} to ${most} (depending on the thread)`
}

function listedText({ open, listed }: InFlight): string {
  if (open === 0) return 'No call was open then.'
  if (open === 1 && listed === 1) return 'The one open call is listed.'
  const known =
    open === listed ? `All ${formatCount(open)}` : `${formatCount(listed)} of ${formatCount(open)}`
  return `${known} open ${open === 1 ? 'call is' : 'calls are'} ${open === listed ? 'listed' : 'known'}.`
}
