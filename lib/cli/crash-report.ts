import type { CrashReport, SecondTotals } from '../store/queries/crash.js'
import { counted, formatCount, formatDuration } from '../wording/format.js'
import { callsInFlight } from './crash-calls.js'
import { errorTable } from './errors.js'
import { instantColumn, instantOf } from './instant.js'
import { lossTable } from './losses.js'
import { field, paragraph } from './paragraph.js'
import type { Screen } from './screen.js'
import { blameText, onCpuText } from './stalls.js'
import { type Column, renderTable } from './table.js'

const NAME_WIDTH = 12
const MAX_OTHERS_SHOWN = 3
/** A recorder says at least twice a minute that it lives. */
const SILENT_MS = 180_000

/** Everything there is to say about one end, for someone who has only this screen. */
export function renderCrash(report: CrashReport, nowMs: number, screen: Screen): string {
  return [
    head(report, nowMs, screen),
    section('Calls in flight', callsInFlight(report, screen), screen),
    section('Last errors', lastErrors(report, screen), screen),
    section(lastSecondsTitle(report), lastSeconds(report, screen), screen),
    section('Not recorded', notRecorded(report, screen), screen),
    `\n${others(report, screen)}`,
  ].join('')
}

function section(title: string, body: string, screen: Screen): string {
  return `\n${paragraph(screen, title, 'bold')}${body}`
}

function head(report: CrashReport, nowMs: number, screen: Screen): string {
  const { startedAt, lastSeenAt, state } = report
  const endings = {
    'ended uncleanly': 'ended uncleanly',
    ended: 'ended cleanly',
    writing: 'has not ended',
  } as const
  const ranMs = Date.parse(lastSeenAt) - Date.parse(startedAt)
  const agoMs = nowMs - Date.parse(lastSeenAt)
  const row = (name: string, text: string) => field(screen, name, text, NAME_WIDTH)
  return (
    paragraph(
      screen,
      `${report.process} ${report.knownBy === 'silence' ? 'has not been heard of' : endings[state]}`,
      state === 'ended uncleanly' ? 'red' : 'bold',
    ) +
    row(
      'started',
      `${startedAt} on ${report.host}${report.nodeVersion === '' ? '' : `, Node ${report.nodeVersion}`}`,
    ) +
    row(
      'last sign',
      `${lastSeenAt}, ${formatDuration(ranMs)} after its start, ${formatDuration(agoMs)} ago`,
    ) +
    row('end', endText(report, agoMs)) +
    row('event loop', loopText(report))
  )
}

function endText({ state, knownBy, host, machineStartedAt }: CrashReport, agoMs: number): string {
  switch (state) {
    case 'writing':
      return agoMs < SILENT_MS
        ? 'It is running, as far as can be told.'
        : `A process with its pid is running on ${host}, but a recorder says more often that it lives: its recorder cannot write, it is stopped, or this is another process or another machine of that name.`
    case 'ended':
      return 'It handed everything over: it returned, called process.exit, threw, or a signal was answered.'
    case 'ended uncleanly':
      if (knownBy === 'silence')
        return `Nobody knows: it ran on another machine, ${host}, and was not heard of since. It was killed or crashed there, or it is running and this is a copy of its file.`
      return machineStartedAt === null
        ? 'Without a last word: it was killed (kill -9, out of memory) or it crashed (abort, native code).'
        : `Without a last word, and the machine was started again at ${machineStartedAt}: it may have gone down with it. Otherwise it was killed or crashed.`
  }
}

function loopText({ stall, inFlight, state }: CrashReport): string {
  if (stall === null)
    return inFlight.threads.length === 0
      ? 'Nothing is known of it.'
      : `It ${state === 'writing' ? 'is' : 'was'} turning, as far as the writer saw: no stall was under way.`
  const cpu = stall.on_cpu === null ? '' : ` The thread was ${onCpuText(stall.on_cpu)}.`
  return `STALLED: it had not turned for ${formatDuration(stall.duration_ms)}, since ${stall.at}. ${blameText(stall)}.${cpu}`
}

function lastErrors({ errors, journals }: CrashReport, screen: Screen): string {
  return (
    (errors.length === 0
      ? paragraph(screen, 'None is stored.')
      : errorTable(errors, screen) + paragraph(screen, 'One whole: callsight errors <CALL>', 'dim')) +
    (journals === 0
      ? ''
      : paragraph(
          screen,
          `It left ${counted(journals, 'journal')} beside the store: an error of its last moments may be there, and is stored when a program records here again.`,
          'yellow',
        ))
  )
}

function lastSecondsTitle({ seconds }: CrashReport): string {
  return seconds.length === 1 ? 'Last second' : `Last ${seconds.length} seconds`
}

function lastSeconds({ seconds, lastCountedAt }: CrashReport, screen: Screen): string {
  if (seconds.every(({ calls, errors }) => calls === 0 && errors === 0)) {
    const before = lastCountedAt === null ? '' : ` The last ones were counted at ${lastCountedAt}.`
    return paragraph(screen, `No call ended in ${seconds.length === 1 ? 'it' : 'them'}.${before}`)
  }
  const columns: Column<SecondTotals>[] = [
    instantColumn(seconds, screen),
    { header: 'CALLS', value: row => formatCount(row.calls), align: 'right' },
    {
      header: 'ERRORS',
      value: row => formatCount(row.errors),
      align: 'right',
      style: row => (row.errors > 0 ? 'red' : 'dim'),
    },
    { header: 'MEAN', value: row => formatDuration(row.mean_ms), align: 'right' },
    {
      header: 'MOST CALLED',
      value: row => (row.function === null ? '' : `${row.function} (${formatCount(row.function_calls)})`),
      min: 0,
    },
  ]
  return (
    renderTable(columns, seconds, screen) +
    paragraph(
      screen,
      'Counted about once a second, every call: those that ended after the last count are missing.',
      'dim',
    )
  )
}

function notRecorded({ losses, incidents, unaccounted }: CrashReport, screen: Screen): string {
  const waiting =
    unaccounted === 0
      ? ''
      : paragraph(
          screen,
          `${counted(unaccounted, 'record')} had been made and ${unaccounted === 1 ? 'is' : 'are'} neither stored nor counted as lost yet: the next program that records here sees to that.`,
          'yellow',
        )
  const happened =
    incidents.length === 0
      ? ''
      : renderTable(
          [
            instantColumn(incidents, screen),
            {
              header: 'UNTIL',
              value: row => instantOf(row.until, incidents, screen) ?? '-',
              style: () => 'dim',
            },
            { header: 'INCIDENT', value: row => row.kind },
            { header: 'DETAIL', value: row => row.detail, min: 0 },
          ],
          incidents,
          screen,
        )
  const lost =
    losses.length === 0
      ? ''
      : lossTable(
          losses.map(row => ({ ...row, detail: null })),
          screen,
        )
  return lost + waiting + happened || paragraph(screen, 'Nothing is known to be missing.')
}

function others({ others: rows, otherCount }: CrashReport, screen: Screen): string {
  if (otherCount === 0) return paragraph(screen, 'No other process ended uncleanly.', 'dim')
  const named = rows.slice(0, MAX_OTHERS_SHOWN)
  // In containers every process may have the same name.
  const unique = new Set(rows.map(row => row.process)).size === rows.length
  const names = named.map(row => `${unique ? row.process : row.boot} (${row.lastSeenAt})`).join(', ')
  const more = otherCount > named.length ? ', …' : ''
  return paragraph(
    screen,
    `${counted(otherCount, 'other process', 'other processes')} ended uncleanly: ${names}${more} · callsight crash --process <name> shows one.`,
    'yellow',
  )
}
