/**
 * What every program of the benchmark answers: without arguments the list of its rows, with the name of one that row's
 * result as one line of JSON.
 */
import { SkippedRow } from './measured-process.js'

export interface Result {
  readonly unit: 'ns/call' | 'records/s' | 'ms' | 'bytes' | 'ratio' | 'percent'
  readonly value: number
  readonly detail?: string
  readonly extra?: Readonly<Record<string, number>>
}

export interface Row {
  /** It takes a minute or longer. */
  readonly slow?: true
  readonly run: () => Promise<Result>
}

export async function answer(group: string, rows: Readonly<Record<string, Row>>): Promise<void> {
  const wanted = process.argv[2]
  if (wanted === undefined) {
    const list = Object.entries(rows).map(([row, { slow }]) => ({ row, group, ...(slow && { slow }) }))
    process.stdout.write(`${JSON.stringify(list)}\n`)
    return
  }
  const row = rows[wanted]
  if (row === undefined) throw new Error(`no row ${JSON.stringify(wanted)} in ${group}`)
  process.stdout.write(`${JSON.stringify({ row: wanted, ...(await resultOf(row)) })}\n`)
}

async function resultOf(row: Row): Promise<Result | { readonly skipped: string }> {
  try {
    const result = await row.run()
    if (!Number.isFinite(result.value)) throw new Error(`the row gave ${result.value}`)
    return result
  } catch (error) {
    if (error instanceof SkippedRow) return { skipped: error.message }
    throw error
  }
}
