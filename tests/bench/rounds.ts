import type { Runnable } from './programs.js'
import type { RowOutcome, Unit } from './protocol.js'
import { median } from './support/statistics.js'

/** What all rounds of one row gave. */
export interface Measured {
  readonly row: string
  readonly group: string
  readonly unit: Unit
  /** One a round. */
  readonly values: readonly number[]
  readonly detail?: string
  readonly extra: Readonly<Record<string, number>>
}

export interface NotMeasured {
  readonly row: string
  readonly group: string
  readonly skipped?: string
  readonly failed?: string
}

export type RowReport = Measured | NotMeasured

export const isMeasured = (report: RowReport): report is Measured => 'values' in report

/** Gathers the rounds of one row. */
export class Rounds {
  readonly #entry: Runnable
  readonly #values: number[] = []
  readonly #extra = new Map<string, number[]>()
  #unit: Unit | null = null
  #detail: string | undefined
  #skipped: string | undefined
  #failed: string | undefined

  constructor(entry: Runnable) {
    this.#entry = entry
  }

  /** A row that failed or was skipped once is not run again. */
  get isOver(): boolean {
    return this.#skipped !== undefined || this.#failed !== undefined
  }

  add(outcome: RowOutcome): void {
    if ('skipped' in outcome) {
      this.#skipped = outcome.skipped
      return
    }
    this.#unit = outcome.unit
    this.#detail = outcome.detail
    this.#values.push(outcome.value)
    for (const [name, value] of Object.entries(outcome.extra ?? {})) {
      this.#extra.set(name, [...(this.#extra.get(name) ?? []), value])
    }
  }

  fail(why: string): void {
    this.#failed = why
  }

  report(): RowReport {
    const { row, group } = this.#entry
    if (this.#failed !== undefined) return { row, group, failed: this.#failed }
    if (this.#unit === null) return { row, group, skipped: this.#skipped ?? 'no round was run' }
    return {
      row,
      group,
      unit: this.#unit,
      values: this.#values,
      extra: Object.fromEntries([...this.#extra].map(([name, values]) => [name, median(values)])),
      ...(this.#detail === undefined ? {} : { detail: this.#detail }),
    }
  }
}

/**
 * Median of the ratios of the rounds, not ratio of the medians: a slow minute falls on all rows of a round and cancels
 * out. `minus` is a row that is taken off first.
 */
export function ratioOf(row: Measured, against: Measured, minus?: Measured): number {
  return median(
    row.values.map(
      (value, round) => (value - (minus?.values[round] ?? 0)) / (against.values[round] ?? Number.NaN),
    ),
  )
}
