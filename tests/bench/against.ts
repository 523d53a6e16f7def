import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Runnable } from './programs.js'
import type { Progress } from './progress.js'
import type { Unit } from './protocol.js'
import { isMeasured, Rounds, type RowReport } from './rounds.js'
import { runInto } from './run-rounds.js'
import { median } from './support/statistics.js'

export type ComparisonOutcome =
  | {
      readonly kind: 'compared'
      readonly unit: Unit
      readonly before: number
      readonly after: number
      /** After divided by before: median, lowest and highest of the pairs of neighbouring runs. */
      readonly ratio: number
      readonly lowest: number
      readonly highest: number
      readonly beyondNoise: boolean
    }
  | { readonly kind: 'skipped' | 'failed'; readonly why: string }

export interface Comparison {
  readonly row: string
  readonly outcome: ComparisonOutcome
}

/** The ref names no commit of this repository. */
export class UnknownRefError extends Error {
  override readonly name = 'UnknownRefError'
}

/** Smaller differences are not worth a mark, however steady they are. */
const SMALLEST_CHANGE = 0.03

/** @throws UnknownRefError */
export function resolveRef(tree: string, ref: string): string {
  try {
    return git(tree, 'rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`)
  } catch {
    throw new UnknownRefError(`--against ${ref}: no such commit here`)
  }
}

/** Two ranges of four runs each lie apart by chance once in 35 times, of two runs each once in 3. */
const RUNS_TO_TELL = 4

/** Runs the rows of this tree in turns with the same rows in a tree of another commit. */
export async function compareWith(
  tree: string,
  commit: string,
  rows: readonly Runnable[],
  rounds: number,
  progress: Progress,
): Promise<Comparison[]> {
  const folder = mkdtempSync(join(tmpdir(), 'callsight-against-'))
  const old = join(folder, 'tree')
  const remove = (): void => {
    // npm ci makes real folders, which git refuses to remove without force.
    if (existsSync(old)) git(tree, 'worktree', 'remove', '--force', old)
    rmSync(folder, { recursive: true, force: true })
  }
  const interrupted = (): void => {
    remove()
    process.exit(130)
  }
  process.once('SIGINT', interrupted)
  try {
    progress.show(`building ${commit}`)
    git(tree, 'worktree', 'add', '--detach', '--quiet', old, commit)
    prepare(tree, old)
    return await inTurns(tree, old, rows, rounds, progress)
  } finally {
    process.off('SIGINT', interrupted)
    remove()
  }
}

/** Dependencies, build, and the programs of this tree: both trees run the same ones. */
function prepare(tree: string, old: string): void {
  const npm = (...args: string[]): void => {
    execFileSync('npm', args, { cwd: old, stdio: ['ignore', 'ignore', 'inherit'] })
  }
  const locks = [tree, old].map(root => readFileSync(join(root, 'package-lock.json'), 'utf8'))
  if (shippedVersions(locks[0] as string) === shippedVersions(locks[1] as string)) {
    symlinkSync(realpathSync(join(tree, 'node_modules')), join(old, 'node_modules'))
  } else {
    npm('ci', '--no-audit', '--no-fund')
  }
  npm('run', 'build', '--silent')
  rmSync(join(old, 'tests', 'bench'), { recursive: true, force: true })
  cpSync(join(tree, 'tests', 'bench'), join(old, 'tests', 'bench'), { recursive: true })
}

/** What a locked tree ships with. Development tools may differ: the present ones measure and build both trees. */
export function shippedVersions(lock: string): string {
  const { packages } = JSON.parse(lock) as { packages: Record<string, { version?: string; dev?: boolean }> }
  const shipped = Object.entries(packages).filter(([path, { dev }]) => path !== '' && dev !== true)
  return JSON.stringify(shipped.map(([path, { version }]) => [path, version]).sort())
}

async function inTurns(
  tree: string,
  old: string,
  rows: readonly Runnable[],
  rounds: number,
  progress: Progress,
): Promise<Comparison[]> {
  const pairs = rows.map(entry => ({ entry, before: new Rounds(entry), after: new Rounds(entry) }))
  for (let round = 0; round < rounds; round++) {
    for (const [index, { entry, before, after }] of pairs.entries()) {
      progress.show(`round ${round + 1}/${rounds}, row ${index + 1}/${rows.length}: ${entry.row}`)
      for (const [side, root] of [
        [before, old],
        [after, tree],
        [after, tree],
        [before, old],
      ] as const) {
        if (!before.isOver && !after.isOver) await runInto(side, root, entry)
      }
    }
  }
  progress.clear()
  return pairs.map(({ entry: { row }, before, after }) => ({
    row,
    outcome: compare(before.report(), after.report()),
  }))
}

/** Compares the runs of one row in the old tree with those in this one, in the order they were made. */
export function compare(before: RowReport, after: RowReport): ComparisonOutcome {
  // That an old tree lacks what a row calls is to be expected; that this one does is a fault.
  if (!isMeasured(before)) {
    return { kind: 'skipped', why: `before: ${before.failed ?? before.skipped}` }
  }
  if (!isMeasured(after)) {
    return after.failed === undefined
      ? { kind: 'skipped', why: `after: ${after.skipped}` }
      : { kind: 'failed', why: `after: ${after.failed}` }
  }
  const ratios = after.values.map((value, index) => value / (before.values[index] as number))
  const ratio = median(ratios)
  const apart =
    Math.max(...before.values) < Math.min(...after.values) ||
    Math.max(...after.values) < Math.min(...before.values)
  return {
    kind: 'compared',
    unit: after.unit,
    before: median(before.values),
    after: median(after.values),
    ratio,
    lowest: Math.min(...ratios),
    highest: Math.max(...ratios),
    beyondNoise: apart && ratios.length >= RUNS_TO_TELL && Math.abs(ratio - 1) > SMALLEST_CHANGE,
  }
}

function git(tree: string, ...args: string[]): string {
  return execFileSync('git', args, { cwd: tree, stdio: ['ignore', 'pipe', 'pipe'] })
    .toString()
    .trim()
}
