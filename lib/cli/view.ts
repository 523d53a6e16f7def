import type { Command } from 'commander'
import type { Coverage } from '../store/queries/coverage.js'
import type { Store } from '../store/read.js'
import { type AnswerKind, notShown } from '../wording/not-shown.js'
import { visible } from '../wording/text.js'
import { renderFooter } from './footer.js'
import { type CommonOptions, type JsonAnswer, limitNote, withStore, writeJson } from './options.js'
import type { EndWith } from './program.js'
import type { Screen } from './screen.js'

/** What a command has found, for a program and for a person. */
export interface Answer extends JsonAnswer {
  readonly coverage: Coverage
  /** All that is printed, what is not shown among it. */
  readonly text: () => string
  /** Somebody asked for one thing and it is not there: said on the error output in place of the text. */
  readonly missing?: string
}

interface ViewOptions extends CommonOptions {
  readonly failIfAny?: boolean
}

/**
 * Makes a command a view of the recording: opens the store for one answer, prints it as a table or as JSON, and ends with
 * 3 when it is empty; with `--fail-if-any` with 1 when it is not.
 */
export function view<Options extends CommonOptions>(
  target: Command,
  screen: Screen,
  endWith: EndWith,
  find: (store: Store, options: Options, args: readonly (string | undefined)[]) => Answer,
): Command {
  return target
    .option(
      '--fail-if-any',
      'for scripts that watch: end with 1 when there are rows, with 0 when there are none',
    )
    .action(() => {
      const options = target.opts<Options & ViewOptions>()
      const answer = withStore(options, store => find(store, options, target.processedArgs))
      show(answer, options, screen, endWith)
    })
}

export function show(answer: Answer, options: ViewOptions, screen: Screen, endWith: EndWith): void {
  const { text, missing, ...json } = answer
  if (options.json) writeJson(screen, json)
  else if (missing === undefined) screen.write(text())
  if (missing !== undefined) screen.writeError(`callsight: ${visible(missing)}\n`)
  const isEmpty = json.rows.length === 0
  if (options.failIfAny) endWith(isEmpty ? 0 : 1)
  else if (isEmpty) endWith(3)
}

/** A table with what it does not show below it. */
export function listing<Row>(
  screen: Screen,
  answer: {
    readonly rows: readonly Row[]
    readonly coverage: Coverage
    /** Decides which gaps of the recording are gaps of the answer. */
    readonly kind: AnswerKind
    readonly limit: number | undefined
    /** Said in place of a table without rows. */
    readonly none: string
    readonly table: (rows: readonly Row[]) => string
  },
): Answer {
  const { rows, coverage, kind, limit, none, table } = answer
  const text = () =>
    (rows.length === 0 ? `${none}\n` : table(rows)) +
    renderFooter(screen, notShown(coverage, kind, limitNote(rows.length, limit)))
  return { rows, coverage, text }
}
