import { isMeasured, type Measured, type RowReport, ratioOf } from './rounds.js'
import { median } from './support/statistics.js'

/**
 * A limit for the ratio of two rows of one run. Absolute times say something of the machine, ratios of the code. The limit is
 * `ratio`, and a run fails beyond `margin`, which is what ratios differ from run to run.
 */
export interface Budget {
  readonly row: string
  readonly against: string
  /** A row that is taken off `row` first: what it costs in addition. */
  readonly minus?: string
  /** Uses this extra figure of `row` instead of its value. */
  readonly extra?: string
  readonly limit: 'at most' | 'at least'
  readonly ratio: number
  /** As a share of the ratio. */
  readonly margin: number
  /** What the design asks for, where the ratio is not that yet. */
  readonly target?: number
  readonly why: string
}

export interface Verdict {
  readonly budget: Budget
  readonly state: 'kept' | 'exceeded' | 'missing'
  readonly text: string
}

/** budgets.json is wrong. */
export class BudgetError extends Error {
  override readonly name = 'BudgetError'
}

const TEXTS = ['row', 'against', 'why'] as const
const OPTIONAL_TEXTS = ['minus', 'extra'] as const
const KEYS = new Set<string>([...TEXTS, ...OPTIONAL_TEXTS, 'limit', 'ratio', 'margin', 'target'])

/** @throws BudgetError that names the entry and what is wrong with it */
export function parseBudgets(text: string): Budget[] {
  let list: unknown
  try {
    list = JSON.parse(text)
  } catch (cause) {
    throw new BudgetError('budgets.json is no JSON', { cause })
  }
  if (!Array.isArray(list)) throw new BudgetError('budgets.json is no list')
  return list.map((entry: Record<string, unknown>, index) => {
    const wrong = faultOf(entry)
    if (wrong !== null)
      throw new BudgetError(`budgets.json, entry ${index + 1} (${entry?.['row']}): ${wrong}`)
    return entry as unknown as Budget
  })
}

function faultOf(entry: Record<string, unknown>): string | null {
  if (typeof entry !== 'object' || entry === null) return 'it is no object'
  const unknown = Object.keys(entry).find(key => !KEYS.has(key))
  if (unknown !== undefined) return `"${unknown}" is no field of a budget`
  for (const key of TEXTS)
    if (typeof entry[key] !== 'string' || entry[key] === '') return `"${key}" must be a text`
  for (const key of OPTIONAL_TEXTS) {
    if (entry[key] !== undefined && typeof entry[key] !== 'string') return `"${key}" must be a text`
  }
  if (entry['limit'] !== 'at most' && entry['limit'] !== 'at least')
    return '"limit" is "at most" or "at least"'
  if (!(typeof entry['ratio'] === 'number' && entry['ratio'] > 0)) return '"ratio" must be above 0'
  const { margin, target } = entry
  if (!(typeof margin === 'number' && margin >= 0 && margin < 1)) return '"margin" is a share, 0 up to 1'
  if (target !== undefined && !(typeof target === 'number' && target > 0)) return '"target" must be above 0'
  return null
}

/** The names of all rows that these budgets need. */
export function rowsOf(budgets: readonly Budget[]): Set<string> {
  return new Set(
    budgets.flatMap(({ row, against, minus }) => [row, against, ...(minus === undefined ? [] : [minus])]),
  )
}

export function judge(budgets: readonly Budget[], reports: readonly RowReport[]): Verdict[] {
  return budgets.map(budget => {
    const { row, against, minus } = budget
    const needed = [row, against, ...(minus === undefined ? [] : [minus])]
    const found = needed.map(name => reports.find(report => report.row === name))
    const lacking = found.findIndex(report => report === undefined || !isMeasured(report))
    if (lacking >= 0) return missing(budget, needed[lacking] as string, found[lacking])
    const [measured, reference, base] = found as [Measured, Measured, Measured?]
    const ratio =
      budget.extra === undefined
        ? ratioOf(measured, reference, base)
        : (measured.extra[budget.extra] ?? Number.NaN) / median(reference.values)
    return verdict(budget, ratio)
  })
}

function missing(budget: Budget, row: string, report: RowReport | undefined): Verdict {
  const why =
    report === undefined || isMeasured(report)
      ? 'no program has it'
      : (report.failed ?? report.skipped ?? 'not run')
  return {
    budget,
    state: 'missing',
    text: `The row "${row}" gave no figure (${why}). Repair the row, or take its budget out of budgets.json.`,
  }
}

function verdict(budget: Budget, ratio: number): Verdict {
  const { row, against, minus, limit, margin, target, why } = budget
  const atMost = limit === 'at most'
  const bound = atMost ? budget.ratio * (1 + margin) : budget.ratio * (1 - margin)
  // Written so that NaN is no ratio that keeps a budget.
  const kept = atMost ? ratio <= bound : ratio >= bound
  const less = minus === undefined ? '' : ` less "${minus}"`
  const figures = `${ratio.toFixed(2)} × "${against}"${less}; ${limit} ${budget.ratio} (margin ${Math.round(margin * 100)} %)`
  const aim = target === undefined ? '' : `, aim ${target}`
  const advice = kept
    ? ''
    : ` ${why} See what changed: npm run bench -- "${row}" "${against}" --against <last good commit>. Run the check again on a` +
      ' quiet machine; if the cost is meant, change budgets.json and say why in memory-bank/decisions.md.'
  return { budget, state: kept ? 'kept' : 'exceeded', text: `${figures}${aim}.${advice}` }
}
