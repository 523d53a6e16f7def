import type { Coverage } from '../../../store/queries/coverage.js'
import { type AnswerKind, notShown } from '../../../wording/not-shown.js'

interface Props {
  readonly coverage: Coverage
  readonly kind: AnswerKind
  /** Something else that is left out, such as rows beyond the limit. */
  readonly more?: string | null
}

/** The last line of every view: what it does not contain. In the words of the command line. */
export function NotShown({ coverage, kind, more = null }: Props) {
  const text = notShown(coverage, kind, more)
  return <p class={text.startsWith('Complete') ? 'coverage' : 'coverage partial'}>{text}</p>
}

/** Said where as many rows came as were asked for. */
export function beyond(rows: number, limit: number): string | null {
  return rows >= limit ? `rows beyond the first ${limit.toLocaleString('en-US')}` : null
}
