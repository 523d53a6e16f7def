import { type Runnable, runRow } from './programs.js'
import type { Progress } from './progress.js'
import { Rounds, type RowReport } from './rounds.js'

/** Runs rows in rounds, so that a slow minute of the machine falls on all of them alike. */
export async function runRounds(
  tree: string,
  rows: readonly Runnable[],
  rounds: number,
  progress: Progress,
): Promise<RowReport[]> {
  const gathered = rows.map(entry => ({ entry, rounds: new Rounds(entry) }))
  for (let round = 0; round < rounds; round++) {
    for (const [index, { entry, rounds: row }] of gathered.entries()) {
      if (row.isOver) continue
      progress.show(`round ${round + 1}/${rounds}, row ${index + 1}/${rows.length}: ${entry.row}`)
      await runInto(row, tree, entry)
    }
  }
  progress.clear()
  return gathered.map(({ rounds: row }) => row.report())
}

/** A row that fails does not take the others with it; it fails the run in the end. */
export async function runInto(rounds: Rounds, tree: string, entry: Runnable): Promise<void> {
  try {
    rounds.add(await runRow(tree, entry))
  } catch (error) {
    rounds.fail(error instanceof Error ? error.message : String(error))
  }
}
