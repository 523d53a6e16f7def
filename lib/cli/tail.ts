import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { codeOf } from '../store/errors.js'
import { type TailOptions, toBounds } from '../store/queries/filter.js'
import type { TailCall } from '../store/queries/tail.js'
import { openStore, type Store } from '../store/read.js'
import { formatCount, formatDuration } from '../wording/format.js'
import { notShown } from '../wording/not-shown.js'
import { argumentsText, exchangeText } from '../wording/shape.js'
import { displayWidth, truncate, visible } from '../wording/text.js'
import { renderFooter } from './footer.js'
import {
  command,
  limitNote,
  type RecordOptions,
  recordsOf,
  storePath,
  toJson,
  withFunction,
  withLimit,
  withOutcome,
  withRecords,
  withSince,
  withStore,
} from './options.js'
import type { EndWith } from './program.js'
import type { Screen, Style } from './screen.js'
import { stopSignal } from './stop-signal.js'
import { HINDSIGHT_NOTE } from './trace-tree.js'
import { show } from './view.js'

interface Options extends Omit<RecordOptions, 'until'> {
  readonly follow?: boolean
  readonly limit: number
}

/** Between two looks nothing is held: no transaction, no lock. */
const LOOK_EVERY_MS = 250
/** More than anyone can read, and few enough for a look to be short. */
const MOST_PER_LOOK = 1_000
const DURATION_WIDTH = 9
const FUNCTION_WIDTH = 24
const GAP = '  '
const ISO_TIME = /T(.*)Z$/

export function tailCommand(screen: Screen, endWith: EndWith): Command {
  const target = command(
    'tail',
    'the newest recorded calls, oldest of them first; -f goes on as calls come',
    [
      'tail',
      'tail -f',
      'tail -f --since 02:50 --limit 1000',
      "tail -f --function 'Orders.*' --outcome error",
      'tail -f --min-duration 250ms --json | jq .args     # one JSON object a line',
    ],
  )
  withOutcome(withRecords(withLimit(withFunction(withSince(target)), 20))).option(
    '-f, --follow',
    'until Ctrl-C',
  )
  return target.action(async (options: Options) => {
    const filter = filterOf(options)
    if (options.follow) return await follow(filter, options, screen)
    withStore(options, store => {
      const { calls } = store.tail(filter)
      const coverage = store.coverage({ since: filter.since, function: filter.function })
      const text = () =>
        (calls.length === 0 ? 'No calls.\n' : linesOf(calls, screen)) +
        renderFooter(screen, notShown(coverage, 'calls', limitNote(calls.length, options.limit)))
      show({ rows: calls, coverage, text }, options, screen, endWith)
    })
  })
}

function filterOf(options: Options): TailOptions {
  const { until: _, ...filter } = recordsOf(options)
  // A length of time counts back from now, not from each look.
  const since = filter.since === undefined ? undefined : new Date(toBounds(filter, Date.now()).sinceUs / 1000)
  return { ...filter, since }
}

/** Looks again and again, whatever happens to the file meanwhile: a recorder may set it aside and begin a new one. */
async function follow(filter: TailOptions, options: Options, screen: Screen): Promise<void> {
  const store = openStore(storePath(options))
  const stop = new AbortController()
  const stopped = stopSignal().then(() => stop.abort())
  try {
    let after = look(store, filter, options, screen)
    let isAway = false
    while (!stop.signal.aborted) {
      await Promise.race([sleep(LOOK_EVERY_MS), stopped])
      if (stop.signal.aborted) break
      try {
        after = look(store, { ...filter, limit: MOST_PER_LOOK, after }, options, screen)
        isAway = false
      } catch (error) {
        if (!codeOf(error).startsWith('CALLSIGHT_')) throw error
        if (!isAway) screen.writeError(`callsight: ${visible((error as Error).message)} Waiting for it.\n`)
        isAway = true
      }
    }
  } finally {
    store.close()
  }
}

function look(store: Store, filter: TailOptions, { json }: Options, screen: Screen): string {
  const { calls, cursor, skipped } = store.tail(filter)
  if (json) for (const call of calls.toReversed()) screen.write(`${toJson(call)}\n`)
  else screen.write(linesOf(calls, screen))
  if (skipped > 0) {
    const note = `… ${formatCount(skipped)} more came in between: ask callsight calls for them`
    screen.writeError(`${screen.style('yellow', note)}\n`)
  }
  return cursor
}

/** @param calls newest first */
function linesOf(calls: readonly TailCall[], screen: Screen): string {
  return calls
    .toReversed()
    .map(call => `${lineOf(call, screen)}\n`)
    .join('')
}

function lineOf(call: TailCall, screen: Screen): string {
  const failed = call.outcome === 'error'
  const at = screen.isTerminal ? (ISO_TIME.exec(call.at)?.[1] ?? call.at) : call.at
  const pieces: readonly (readonly [string, Style | null])[] = [
    [at, 'dim'],
    [formatDuration(call.duration_ms).padStart(DURATION_WIDTH), null],
    [failed ? 'error' : 'ok   ', failed ? 'red' : 'green'],
    [call.function.padEnd(FUNCTION_WIDTH), 'bold'],
    failed
      ? [`${call.error}: ${call.message}  ${argumentsText(call)}`, 'red']
      : [call.recorded === 'hindsight' ? HINDSIGHT_NOTE : exchangeText(call), null],
  ]
  let room = screen.width ?? Number.POSITIVE_INFINITY
  const shown: string[] = []
  for (const [text, style] of pieces) {
    const cut = truncate(visible(text), room)
    if (cut === '') break
    shown.push(screen.style(style, cut))
    room -= displayWidth(cut) + GAP.length
  }
  return shown.join(GAP)
}
