import { basename } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { LEAST_BUNDLE_BYTES } from '../export/bundle.js'
import { CHROME } from '../export/chrome.js'
import { CSV } from '../export/csv.js'
import { CALL_COLUMNS, ERROR_COLUMNS, type Heading, type Slices } from '../export/format.js'
import { NDJSON } from '../export/ndjson.js'
import { type Sink, streamSink, writeAll, writeFile } from '../export/output.js'
import { SPEEDSCOPE } from '../export/speedscope.js'
import { withoutContent } from '../export/without-content.js'
import { MAX_LIMIT } from '../store/queries/filter.js'
import type { Store } from '../store/read.js'
import { StoreQueryError } from '../store/read-errors.js'
import { OWN_VERSION } from '../threads/own-version.js'
import { counted, formatCount } from '../wording/format.js'
import { notShown } from '../wording/not-shown.js'
import { visible, visibleLines } from '../wording/text.js'
import { exportBundle } from './export-bundle.js'
import {
  commandWithoutRows,
  limitNote,
  type RecordOptions,
  recordsOf,
  scopeOf,
  whileStoreIsOpen,
  wholeNumber,
  withRecords,
  withScope,
} from './options.js'
import type { EndWith } from './program.js'
import type { Screen } from './screen.js'

const FORMATS = ['ndjson', 'csv', 'chrome', 'speedscope'] as const
type FormatName = (typeof FORMATS)[number]
const KINDS = ['calls', 'errors'] as const
type Kind = (typeof KINDS)[number]

export interface ExportOptions extends RecordOptions {
  readonly format?: FormatName
  readonly out?: string
  readonly force?: boolean
  readonly args: boolean
  readonly bundle?: string
  readonly maxSize?: number
}

/** Records that were handed on so far. */
interface Progress {
  count: number
}

export function exportCommand(screen: Screen, endWith: EndWith): Command {
  const examples = [
    'export --format ndjson | jq .function',
    "export errors --since 1h --function 'Orders.*' --format csv --out errors.csv",
    'export --since 10m --format chrome --out trace.json    (open it at ui.perfetto.dev)',
    'export --format speedscope --out profile.json',
    'export --bundle incident --since 30m',
    'export --bundle incident 5f0c2a9be1d34477000000000000002a',
  ]
  const target = commandWithoutRows(
    'export',
    'writes the recording in another format, or an incident bundle to send to somebody',
    examples,
  ).argument('[what]', 'calls (default) or errors; of a bundle: a trace id, call id or fingerprint')
  return withRecords(withScope(target))
    .addOption(new Option('--format <format>', 'ndjson (default), csv, chrome, speedscope').choices(FORMATS))
    .option('--out <file>', 'write this file (mode 0600) and not to standard output')
    .option('--bundle <folder>', 'make this folder: a small recording and a page that shows it')
    .option('--force', 'replace what is there')
    .option('--limit <rows>', 'only the newest that many (default: all)', wholeNumber)
    .option('--max-size <size>', 'most bytes of a bundle: 500kB, 20MB (default: 20MB)', bytes)
    .option('--no-args', 'leave out arguments, results and messages')
    .action(async (what: string | undefined, options: ExportOptions) => {
      const done =
        options.bundle === undefined
          ? await exportRecords(what ?? 'calls', options, screen)
          : await exportBundle(options.bundle, what, options, screen)
      if (!done) endWith(3)
    })
}

/** `false`: nothing to export. */
async function exportRecords(what: string, options: ExportOptions, screen: Screen): Promise<boolean> {
  const kind = KINDS.find(name => name === what)
  if (kind === undefined) {
    throw new StoreQueryError(`"${what}" is not calls or errors. Choose one, or make a --bundle of that id.`)
  }
  if (options.maxSize !== undefined) throw new StoreQueryError('--max-size is for a --bundle. Leave it out.')
  const { out, force = false } = options
  if (out === '') throw new StoreQueryError('--out names no file. Give it one, or leave it out.')
  return whileStoreIsOpen(options, async store => {
    const coverage = store.coverage(scopeOf(options))
    const kindOfAnswer = options.error === undefined ? kind : 'errors'
    const progress: Progress = { count: 0 }
    const pieces = reported(
      screen,
      progress,
      piecesOf(store, kind, options, progress, notShown(coverage, kindOfAnswer)),
    )
    if (out === undefined) await writeAll(pieces, output(screen))
    else await writeFile(out, pieces, { force, keep: () => progress.count > 0 })
    if (progress.count === 0) screen.writeError(`No ${kind} to export.\n`)
    else {
      const rest = notShown(coverage, kindOfAnswer, limitNote(progress.count, options.limit))
      const where = out === undefined ? '' : ` to ${visible(out)}`
      screen.writeError(`Exported ${counted(progress.count, kind.slice(0, -1))}${where}. ${visible(rest)}\n`)
    }
    return progress.count > 0
  })
}

function piecesOf(
  store: Store,
  kind: Kind,
  options: ExportOptions,
  progress: Progress,
  missing: string,
): Iterable<string> {
  const { format = 'ndjson' } = options
  const filter = recordsOf(options)
  const outcome = kind === 'errors' ? 'error' : undefined
  const heading: Heading = { version: OWN_VERSION, recording: basename(store.path), notShown: missing }
  const errors = () => watched(store.errorSlices(filter), options, progress)
  const calls = () => watched(store.callSlices({ ...filter, outcome }), options, progress)
  switch (format) {
    case 'ndjson':
    case 'csv': {
      const { rows } = format === 'csv' ? CSV : NDJSON
      return kind === 'errors' ? rows(errors(), ERROR_COLUMNS) : rows(calls(), CALL_COLUMNS)
    }
    case 'chrome': {
      const { since, until } = scopeOf(options)
      const stalls =
        kind === 'errors' ? [] : store.stalls({ since, until, function: options.function, limit: MAX_LIMIT })
      return CHROME.timeline(calls(), stalls, heading)
    }
    case 'speedscope':
      return SPEEDSCOPE.timeline(calls(), [], heading)
  }
}

function* watched<Row extends object>(
  slices: Slices<Row>,
  { args }: ExportOptions,
  progress: Progress,
): Generator<readonly Row[]> {
  for (const slice of slices) {
    yield args ? slice : slice.map(withoutContent)
    progress.count += slice.length
  }
}

const REPORT_EVERY_MS = 200

/** Says on a terminal how far it is. */
function* reported(screen: Screen, progress: Progress, pieces: Iterable<string>): Generator<string> {
  let reportedAt = performance.now()
  try {
    for (const piece of pieces) {
      yield piece
      // What is shown on the same terminal needs no progress.
      if (screen.isTerminal || performance.now() - reportedAt < REPORT_EVERY_MS) continue
      reportedAt = performance.now()
      screen.working(`${formatCount(progress.count)} records`)
    }
  } finally {
    if (!screen.isTerminal) screen.working(null)
  }
}

/** Standard output. What a terminal would obey is shown there, everything else gets it as it is. */
function output(screen: Screen): Sink {
  const sink = streamSink(process.stdout)
  if (!screen.isTerminal) return sink
  return { write: text => sink.write(visibleLines(text).join('\n')) }
}

function bytes(value: string): number {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)\s*(B|kB|KB|MB|GB)?$/.exec(value)
  const unit = { B: 1, KB: 1e3, MB: 1e6, GB: 1e9 }[(match?.[2] ?? 'B').toUpperCase()] ?? 1
  const size = Math.floor(Number(match?.[1]) * unit)
  if (match !== null && size >= LEAST_BUNDLE_BYTES) return size
  throw new InvalidArgumentError(
    `Use a size of ${formatCount(LEAST_BUNDLE_BYTES)} bytes and more, such as 20MB.`,
  )
}
