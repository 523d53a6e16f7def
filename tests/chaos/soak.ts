import { existsSync } from 'node:fs'
import Database from 'better-sqlite3'
import { expect } from 'vitest'
import { seededRandom } from '../sampling/seeded.js'
import { noteLosses } from '../support/figures.js'
import { imbalances, repeated } from '../support/store-account.js'
import { commonSlope, type Point, type Slope } from './slope.js'
import { alive, ENDS, FAULTS, type Life, pause } from './soak-faults.js'
import { SoakScene } from './soak-scene.js'

/**
 * Soak: one program after the other under a steady mixed load, with random faults in the middle of its life and a random
 * end. After each end the next healthy start takes over what is left, and the whole account is checked by SQL.
 */
export interface Soak {
  readonly faults: Readonly<Record<string, number>>
  readonly ends: Readonly<Record<string, number>>
  /** Resident memory in MiB per hour: of a living process after its warm-up, and from one life to the next. */
  readonly inLife: Slope
  readonly acrossLives: Slope
  /** Seconds of a life that were sampled, at most. */
  readonly sampledSeconds: number
}

export interface SoakLengths {
  readonly totalMs: number
  readonly lifeMs: number
  readonly warmUpMs: number
  readonly pauseMs: number
}

const WORKERS = 2
const RETENTION_MS = 20_000
const NUMBERS_PER_LIFE = 1e9
/** Clocks of the checker and of the records agree to this. */
const CLOCK_SLACK_MS = 1_000
/** A writer that dies sooner after another is started again after 10 s and more: then nothing else is under test. */
const BETWEEN_WRITER_DEATHS_MS = 65_000
const MIB = 2 ** 20
const MS_PER_HOUR = 3_600_000

export async function soak(seed: number, { totalMs, lifeMs, warmUpMs, pauseMs }: SoakLengths): Promise<Soak> {
  const random = seededRandom(seed)
  const scene = new SoakScene()
  const startedMs = Date.now()
  const faults: Record<string, number> = {}
  const ends: Record<string, number> = {}
  const samples: Point[][] = []
  let excusedUntilMs = 0
  try {
    for (let number = 1; number === 1 || Date.now() - startedMs < totalMs; number++) {
      const story: string[] = []
      const victim = scene.begin({
        first: number * NUMBERS_PER_LIFE,
        workers: WORKERS,
        retentionMs: RETENTION_MS,
      })
      const life: Life = { scene, victim, random, excusedUntilMs }
      const memory = sampleMemory(life, warmUpMs)
      let writerMayDieMs = 0
      await victim.says('ready')
      const lifeEndsMs = Date.now() + lifeMs * (0.75 + 0.5 * random())
      while (Date.now() < lifeEndsMs) {
        await pause(random() * pauseMs)
        const fault = choose(random, FAULTS)
        if (fault === 'writer killed') {
          if (Date.now() < writerMayDieMs) continue
          writerMayDieMs = Date.now() + BETWEEN_WRITER_DEATHS_MS
        }
        story.push(fault)
        if ((await FAULTS[fault](life)) === 'not here') continue
        if (!alive(life)) throw new Error(`life ${number} of seed ${seed} ended after ${story.join(', ')}`)
        faults[fault] = (faults[fault] ?? 0) + 1
      }
      const end = choose(random, ENDS)
      story.push(end)
      ENDS[end](life)
      await victim.ended
      ends[end] = (ends[end] ?? 0) + 1
      samples.push(memory())
      excusedUntilMs = life.excusedUntilMs
      await check(scene, excusedUntilMs, `life ${number} of seed ${seed}: ${story.join(', ')}`)
      scene.rotate()
    }
  } finally {
    scene.dispose()
  }
  const perHour = samples.map(life => life.map(([ms, bytes]): Point => [ms / MS_PER_HOUR, bytes / MIB]))
  return {
    faults,
    ends,
    inLife: commonSlope(perHour),
    acrossLives: commonSlope([perHour.filter(life => life.length > 0).map(average)]),
    sampledSeconds: Math.max(
      0,
      ...samples.map(life => ((life.at(-1)?.[0] ?? 0) - (life[0]?.[0] ?? 0)) / 1_000),
    ),
  }
}

/** Collects what the program says of its memory, from the end of its warm-up on. */
function sampleMemory({ victim }: Life, warmUpMs: number): () => Point[] {
  const points: Point[] = []
  const bornMs = Date.now()
  victim.child.stdout.on('data', (text: Buffer) => {
    const nowMs = Date.now()
    if (nowMs - bornMs < warmUpMs) return
    for (const [, bytes] of text.toString().matchAll(/memory (\d+)/g)) points.push([nowMs, Number(bytes)])
  })
  return () => points
}

/** The next start takes over; then every error is stored once or has expired, and every lane adds up. */
async function check(scene: SoakScene, excusedUntilMs: number, life: string): Promise<void> {
  const noted = scene.noted()
  const stoppedMs = Date.now()
  const account = await scene.recover().catch((error: unknown) => {
    throw new Error(`${life}: ${String(error)}`)
  })
  const expiredMs = expiredUpToMs(scene.store)
  expect(expiredMs, `${life}: nothing young has expired`).toBeLessThan(
    stoppedMs - RETENTION_MS + CLOCK_SLACK_MS,
  )
  const stored = new Set(account.errors)
  const deletedUntilMs = Math.max(excusedUntilMs, expiredMs + CLOCK_SLACK_MS)
  const missing = noted.filter(({ n, seenMs }) => seenMs > deletedUntilMs && !stored.has(n))
  const twice = repeated(account.errors) + repeated(account.calls)
  noteLosses(missing.length, twice)
  expect(missing, `${life}: no error is lost`).toEqual([])
  expect(twice, `${life}: nothing is stored twice`).toBe(0)
  const left = imbalances(account)
  expect(
    account.lanes.filter((_, index) => left[index] !== 0),
    `${life}: every lane adds up`,
  ).toEqual([])
  expect(account.integrity, life).toBe('ok')
}

/** End of the youngest record that retention has deleted, Unix milliseconds. */
function expiredUpToMs(store: string): number {
  if (!existsSync(store)) return 0
  const db = new Database(store, { readonly: true })
  try {
    return ((db.prepare('SELECT max(up_to_us) FROM expired').pluck().get() as number | null) ?? 0) / 1_000
  } finally {
    db.close()
  }
}

function choose<T extends object>(random: () => number, among: T): keyof T {
  const names = Object.keys(among) as (keyof T)[]
  return names[Math.floor(random() * names.length)] as keyof T
}

const average = (points: readonly Point[]): Point => [
  points.reduce((sum, [x]) => sum + x, 0) / points.length,
  points.reduce((sum, [, y]) => sum + y, 0) / points.length,
]
