/**
 * The short check: counts instead of times. Times need a quiet machine, and a limit generous enough for a busy one lets
 * through what costs 50 %. Instruction counts were tried (valgrind, 2 cores, Node 20): 30 to 50 s a run of a program
 * with the compiler off, 50 to 100 s with it on, two runs for a difference, and up to 1 % between runs of the same code.
 * What is counted here is exact on any machine and in any hurry: what a call calls, reads, writes and allocates.
 */
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** Limits by scene and count. A count that has no limit in a scene is not looked at there. */
export type Counts = Readonly<Record<string, Readonly<Record<string, number>>>>

export interface CountLimits {
  /** Major version of Node at which {@link HEAP} was counted: its size depends on the compiler. */
  readonly heapOfNode: number
  readonly scenes: Counts
}

export interface CountVerdict {
  readonly scene: string
  readonly count: string
  readonly limit: number
  readonly actual: number
  readonly state: 'kept' | 'below' | 'exceeded' | 'skipped'
}

const HEAP = 'heap bytes'
/** The heap is counted by pages of objects that are not all ours. */
const HEAP_MARGIN = 0.02
const NODE_MAJOR = Number(process.versions.node.split('.')[0])

const LIMITS = new URL('./counts.json', import.meta.url)
const PROBE = fileURLToPath(new URL('./count-probe.ts', import.meta.url))
/** As Node 24 and later: the recorder enters a storage for each recorded call. */
const ENTERED_CONTEXT = fileURLToPath(new URL('../fixtures/src/entered-context.ts', import.meta.url))

/** What is counted of a scene, in which ways. */
interface Scene {
  readonly modes: readonly ('calls' | 'memory')[]
  /** Only these have limits; all when left out. */
  readonly limited?: readonly string[]
  /** Loaded before the recorder. */
  readonly preloaded?: string
}

const OF_A_CALL = ['functions', 'clock reads', 'atomics', 'file operations', 'built-ins']
const SCENES: Readonly<Record<string, Scene>> = {
  'unsampled, timed': { modes: ['calls'], limited: OF_A_CALL },
  'unsampled, untimed': { modes: ['calls'], limited: OF_A_CALL },
  'recorded, 2 arguments + result': { modes: ['calls', 'memory'] },
  'recorded, contexts entered': { modes: ['calls'], limited: OF_A_CALL, preloaded: ENTERED_CONTEXT },
  'recorded, async, until it returns': { modes: ['calls'], limited: OF_A_CALL },
  // How much there is to do for a stack depends on the paths in it.
  'throw, full error record': { modes: ['calls'], limited: ['clock reads', 'atomics', 'file operations'] },
}

/** Same memory and same compiler in every run. */
const FLAGS: Readonly<Record<string, readonly string[]>> = {
  calls: [],
  memory: ['--min-semi-space-size=64', '--max-semi-space-size=64', '--no-concurrent-recompilation'],
}

export const readLimits = (): CountLimits => JSON.parse(readFileSync(LIMITS, 'utf8')) as CountLimits

/** Counts what calls do in the recorder built into this folder, in all scenes or one. */
export async function takeCounts(dist: string, only?: string): Promise<Counts> {
  const counts: Record<string, Record<string, number>> = {}
  for (const [scene, { modes }] of Object.entries(SCENES)) {
    if (only !== undefined && only !== scene) continue
    const taken = await Promise.all(
      modes.map(async mode => {
        return JSON.parse(await probe(dist, mode, scene)) as Record<string, number>
      }),
    )
    counts[scene] = Object.assign({}, ...taken) as Record<string, number>
  }
  return counts
}

async function probe(dist: string, mode: string, scene: string): Promise<string> {
  const preloaded = SCENES[scene]?.preloaded
  const flags = [
    ...(FLAGS[mode] ?? []),
    '--import',
    'tsx',
    ...(preloaded === undefined ? [] : ['--import', preloaded]),
  ]
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, PROBE, dist, mode, scene], {
    env: { ...process.env, NODE_OPTIONS: '', CALLSIGHT: 'on' },
    maxBuffer: 256 * 1024 ** 2,
  })
  return stdout
}

export function judgeCounts(
  { heapOfNode, scenes }: CountLimits,
  counts: Counts,
  node = NODE_MAJOR,
): CountVerdict[] {
  return Object.entries(counts).flatMap(([scene, actuals]) =>
    Object.entries(scenes[scene] ?? {}).map(([count, limit]): CountVerdict => {
      // A count that is not taken any more keeps no limit.
      const actual = actuals[count] ?? Number.NaN
      const bound = count === HEAP ? limit * (1 + HEAP_MARGIN) : limit
      const kept = actual <= bound
      const skipped = count === HEAP && node !== heapOfNode
      const state = skipped ? 'skipped' : !kept ? 'exceeded' : Math.ceil(actual) < limit ? 'below' : 'kept'
      return { scene, count, limit, actual, state }
    }),
  )
}

/** Limits that these counts just keep. Whole numbers: how often an error finds the writer awake is left to chance. */
export function limitsFrom(counts: Counts, previous: CountLimits): CountLimits {
  const scenes = Object.entries(counts).map(([scene, actuals]) => [
    scene,
    Object.fromEntries(
      Object.entries(actuals)
        .filter(([count]) => SCENES[scene]?.limited?.includes(count) ?? true)
        .map(([count, actual]) => [count, Math.ceil(actual)]),
    ),
  ])
  return { heapOfNode: NODE_MAJOR, scenes: { ...previous.scenes, ...Object.fromEntries(scenes) } }
}

const REMEDY = `See what was added to the way of a call since the last good commit. If it is meant, npm run bench -- --check --short --update
writes the new limits into tests/bench/counts.json; say why in memory-bank/decisions.md.`

/** Counts, compares with the committed limits, says what it found. True when all limits are kept. */
export async function shortCheck(
  tree: string,
  say: (text: string) => void,
  update = false,
): Promise<boolean> {
  const counts = await takeCounts(join(tree, 'dist'))
  if (update) {
    writeFileSync(LIMITS, `${JSON.stringify(limitsFrom(counts, readLimits()), null, 2)}\n`)
    say('tests/bench/counts.json has the counts of this build as limits now.')
  }
  const verdicts = judgeCounts(readLimits(), counts)
  for (const verdict of verdicts) say(verdictLine(verdict))
  const kept = verdicts.every(({ state }) => state !== 'exceeded')
  if (!kept) say(`\n${REMEDY}`)
  return kept
}

function verdictLine({ scene, count, limit, actual, state }: CountVerdict): string {
  const mark = { kept: 'ok      ', below: 'ok      ', exceeded: 'EXCEEDED', skipped: 'skipped ' }[state]
  const notes = {
    kept: '',
    below: ' (less: --update makes it the limit)',
    exceeded: '',
    skipped: ' (counted with another version of Node)',
  }[state]
  return `${mark} ${scene}: ${actual} ${count} per call, at most ${limit}${notes}`.replace(
    'files loaded per call',
    'files loaded',
  )
}
