import type { Separation, SideCounts } from './why.js'
import type { Tested } from './why-conditions.js'
import type { WhyRecord } from './why-records.js'

/** What separates calls less than that is not worth a look, however sure it is. */
const LEAST_RATIO = 1.5
const MOST_LISTED = 10
const MOST_COMPARED = 60
const MOST_SAME = 5
const MOST_EXAMPLES = 3
/** Two conditions are one to the reader when so much of either is in the other. */
const NEARLY_ALL = 0.9
function isWorthALook({ with: has, without }: Tested): boolean {
  return share(has) >= LEAST_RATIO * share(without)
}

function share({ hits, calls }: SideCounts): number {
  return calls > 0 ? hits / calls : 0
}

/** The strongest, each once: of one column only its best threshold, of those that hold for the same calls the first. */
export function listSeparations(
  tested: readonly Tested[],
  records: readonly WhyRecord[],
  hits: Uint8Array,
): Separation[] {
  const order = tested
    .filter(isWorthALook)
    .toSorted((a, b) => b.separation - a.separation || a.pValue - b.pValue)
  const taken: { test: Tested; members: ReadonlySet<number>; same: string[] }[] = []
  for (const test of order.slice(0, MOST_COMPARED)) {
    const members = membersOf(test)
    const alike = taken.find(other => isSameColumn(other.test, test) || isAlike(other.members, members))
    if (alike === undefined) taken.push({ test, members, same: otherNames(test) })
    else if (!isSameColumn(alike.test, test)) alike.same.push(test.text, ...otherNames(test))
  }
  return taken.slice(0, MOST_LISTED).map(({ test, members, same }) => ({
    condition: test.text,
    same: same.slice(0, MOST_SAME),
    with: countsOf(test.with),
    without: countsOf(test.without),
    ratio: test.without.hits > 0 ? share(test.with) / share(test.without) : null,
    separation: test.separation,
    pValue: test.pValue,
    examples: [...members]
      .filter(index => hits[index] === 1)
      .slice(0, MOST_EXAMPLES)
      .map(index => records[index]!.callId),
  }))
}

function otherNames({ condition, isMembers }: Tested): string[] {
  return condition.same.map(({ yes, no }) => (isMembers ? yes : no))
}

function countsOf({ calls, hits, records, hitRecords }: SideCounts): SideCounts {
  return { calls, hits, records, hitRecords }
}

/** Thresholds of one column hold for each other's calls; of its values each stands for itself. */
function isSameColumn(a: Tested, b: Tested): boolean {
  const { column, known } = a.condition
  return column === b.condition.column && known === column.numbered && b.condition.known === known
}

function membersOf({ condition, isMembers }: Tested): ReadonlySet<number> {
  const members = new Set(condition.members)
  return isMembers ? members : new Set(condition.known.filter(index => !members.has(index)))
}

function isAlike(a: ReadonlySet<number>, b: ReadonlySet<number>): boolean {
  const [small, large] = a.size < b.size ? [a, b] : [b, a]
  if (small.size < NEARLY_ALL * large.size) return false
  let both = 0
  for (const index of small) if (large.has(index)) both++
  return both >= NEARLY_ALL * large.size
}
