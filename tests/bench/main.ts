/**
 * `npm run bench`: what Callsight costs and what other tools cost for the same work, in one run on one machine.
 * `npm run bench -- --help` says what else it does.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { compareWith, resolveRef, UnknownRefError } from './against.js'
import { type Budget, judge, parseBudgets, rowsOf } from './budgets.js'
import { shortCheck } from './counts.js'
import { describeMachine } from './machine.js'
import { type BenchOptions, parseOptions, UsageError } from './options.js'
import { listRows, type Runnable } from './programs.js'
import { Progress } from './progress.js'
import { comparisonTable, FLOOR, machineLines, table, verdictLines } from './report.js'
import { isMeasured } from './rounds.js'
import { runRounds } from './run-rounds.js'

const TREE = fileURLToPath(new URL('../..', import.meta.url))
const BUDGETS = join(TREE, 'tests', 'bench', 'budgets.json')
const PEERS = 'peers.ts'

const progress = new Progress()
const say = (text: string): void => void process.stdout.write(`${text}\n`)

function choose(all: readonly Runnable[], options: BenchOptions, budgets: readonly Budget[]): Runnable[] {
  const { parts, slow, check, against } = options
  if (check) {
    const needed = rowsOf(budgets)
    return all.filter(({ row }) => needed.has(row))
  }
  const unknown = parts.find(part => !all.some(({ row }) => row.includes(part)))
  if (unknown !== undefined) throw new UsageError(`no row has "${unknown}" in its name; --list prints them`)
  const named = all.filter(entry =>
    parts.length === 0 ? slow || entry.slow !== true : parts.some(part => entry.row.includes(part)),
  )
  // What other tools cost does not depend on the commit. The floor says how much the machine differs from run to run.
  const chosen =
    against === null || parts.length > 0 ? named : named.filter(({ program }) => program !== PEERS)
  return all.filter(entry => chosen.includes(entry) || entry.row === FLOOR)
}

function writeJson(target: string | null, value: object): void {
  if (target === null) return
  const text = `${JSON.stringify(value, null, 2)}\n`
  if (target === '-') process.stdout.write(text)
  else writeFileSync(target, text)
}

async function main(options: BenchOptions): Promise<boolean> {
  const { rounds, json, against, check, short, update } = options
  if (short) return shortCheck(TREE, say, update)
  const commit = against === null ? null : resolveRef(TREE, against)
  const budgets = check ? parseBudgets(readFileSync(BUDGETS, 'utf8')) : []
  const rows = choose(await listRows(TREE), options, budgets)
  if (options.list) {
    for (const { row, slow } of rows) say(slow === true ? `${row} (slow)` : row)
    return true
  }
  const machine = describeMachine(TREE)
  // Standard output is either for people or for programs.
  const show = json === '-' ? () => {} : say
  show(`${machineLines(machine)}\n`)

  if (against !== null && commit !== null) {
    const comparisons = await compareWith(TREE, commit, rows, rounds, progress)
    show(comparisonTable(comparisons, against, rounds))
    writeJson(json, { machine, before: commit, rounds, rows: comparisons })
    return comparisons.every(({ outcome }) => outcome.kind !== 'failed')
  }
  const reports = await runRounds(TREE, rows, rounds, progress)
  show(table(reports, rounds))
  const verdicts = judge(budgets, reports)
  if (check) show(`\n${verdictLines(verdicts)}`)
  writeJson(json, { machine, rounds, rows: reports, ...(check ? { budgets: verdicts } : {}) })
  return (
    reports.every(report => isMeasured(report) || report.failed === undefined) &&
    verdicts.every(({ state }) => state === 'kept')
  )
}

// Who only wants the first lines closes the pipe.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit()
})
try {
  process.exitCode = (await main(parseOptions(process.argv.slice(2)))) ? 0 : 1
} catch (error) {
  progress.clear()
  if (error instanceof UsageError && error.exitCode === 0) {
    say(error.message)
  } else {
    const isUsage = error instanceof UsageError || error instanceof UnknownRefError
    process.stderr.write(`${isUsage ? error.message : error instanceof Error ? error.stack : error}\n`)
    process.exitCode = isUsage ? 2 : 1
  }
}
