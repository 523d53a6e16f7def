import { type Delay, type Ending, type State, timeEnd } from './exit-runs.js'
import { milliseconds, quantile, table } from './matrix.js'
import { missingTools, type Tool } from './tools.js'

interface Measured {
  readonly end: string
  readonly ending: Ending
  readonly state: State
  /** Ends with the recorder, and as many without, in turns. */
  readonly runs: number
  readonly shortRuns: number
  readonly limitMs: number
  /** Whether the end of the process as its parent sees it has to keep the limit too. */
  readonly fromOutside: boolean
  readonly needs?: readonly Tool[]
}

const WARM_LIMIT_MS = 50
const WORST_LIMIT_MS = 2_000
/** A wait that has a limit ends a little after it. */
const SCHEDULER_MS = 20

const warm = (end: string, ending: Ending): Measured => ({
  end: `${end}, writer warm`,
  ending,
  state: 'warm',
  runs: 200,
  shortRuns: 5,
  limitMs: WARM_LIMIT_MS,
  fromOutside: true,
})
const worst = (end: string, state: State, runs: number, needs: readonly Tool[] = []): Measured => ({
  end,
  ending: 'exit',
  state,
  runs,
  shortRuns: 2,
  limitMs: WORST_LIMIT_MS,
  fromOutside: state !== 'writer stalled',
  needs,
})

const MEASURED: readonly Measured[] = [
  warm('the loop runs dry', 'natural'),
  warm('`process.exit`', 'exit'),
  warm('SIGTERM', 'SIGTERM'),
  warm('uncaught throw', 'throw'),
  worst('`process.exit` while the writer boots', 'booting', 200),
  worst('`process.exit`, store locked by another process', 'store locked', 50),
  worst('`process.exit`, disk full', 'disk full', 50, ['mount']),
  worst('`process.exit`, writer stalled in a sync for 4 s', 'writer stalled', 20, ['strace']),
]

const HEADINGS = ['end', 'runs', 'in our handling: p50 / p99 / max', 'seen from outside: p50 / p99 / max']
const EXPLANATION = `From the end of the app's work to the end of the process, in a program that has recorded 200 calls, 20 of them
errors, since the last flush. "In our handling" is what the recorder does in the \`exit\` event, or between a signal and
sending it again. "From outside" is what the parent sees, in turns with \`CALLSIGHT=off\`; it includes taking the writer
thread down. Promised is a p99 of ${WARM_LIMIT_MS} ms warm and of ${WORST_LIMIT_MS / 1_000} s in the worst fault, in our handling and as added from
outside. One row is judged by our handling alone: no process ends before the kernel lets its threads out of a system
call, and a sync of 4 s is one.`

/** Measures the time that the recorder adds to the end of a program. */
export async function exitDelaySection({
  short,
  progress,
}: {
  short: boolean
  progress: (line: string) => void
}): Promise<{ text: string; kept: boolean }> {
  const rows: string[][] = []
  let kept = true
  for (const measured of MEASURED) {
    progress(`exit delay: ${measured.end}`)
    const why = missingTools(measured.needs ?? [])
    if (why !== '') {
      rows.push([measured.end, `skipped: ${why}`, '–', '–', '–', '–'])
      continue
    }
    const { withUs, without } = await inTurns(measured, short ? measured.shortRuns : measured.runs)
    const inside = withUs.map(({ insideMs }) => insideMs ?? 0)
    const outside = withUs.map(({ outsideMs }) => outsideMs)
    const off = without.map(({ outsideMs }) => outsideMs)
    const addedMs = measured.fromOutside ? quantile(outside, 0.99) - quantile(off, 0.5) : 0
    const held = Math.max(quantile(inside, 0.99), addedMs) <= measured.limitMs + SCHEDULER_MS
    kept &&= held
    rows.push([
      measured.end,
      String(inside.length),
      three(inside),
      three(outside),
      three(off),
      held ? 'within' : `above ${milliseconds(measured.limitMs)}`,
    ])
  }
  return { text: `${EXPLANATION}\n\n${table([...HEADINGS, 'the same, off', 'limit'], rows)}`, kept }
}

/** With and without the recorder one after the other, so that a slow minute of the machine falls on both. */
async function inTurns(
  { ending, state }: Measured,
  runs: number,
): Promise<{ withUs: Delay[]; without: Delay[] }> {
  const withUs: Delay[] = []
  const without: Delay[] = []
  for (let run = 0; run < runs; run++) {
    withUs.push(await timeEnd(ending, state, true))
    without.push(await timeEnd(ending, state, false))
  }
  return { withUs, without }
}

const three = (values: readonly number[]): string =>
  [quantile(values, 0.5), quantile(values, 0.99), Math.max(...values)].map(milliseconds).join(' / ')
