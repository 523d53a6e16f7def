import type { Coverage, Expired, LeftOut } from '../store/queries/coverage.js'
import { counted, formatCount, toMinute } from './format.js'

/** What an answer is about; it decides which gaps of the store are gaps of the answer. */
export type AnswerKind = 'calls' | 'errors' | 'totals'

const COMPLETE: Readonly<Record<AnswerKind, string>> = {
  calls: 'Complete: every call is recorded',
  errors: 'Complete: every error is recorded',
  totals: 'Complete: totals count every call, recorded or not',
}

/** What an answer does not contain, in one line. */
export function notShown(coverage: Coverage, kind: AnswerKind, more: string | null = null): string {
  const parts = more === null ? [] : [more]
  if (kind === 'calls') {
    if (coverage.sampledOut > 0) parts.push(`${counted(coverage.sampledOut, 'call')} sampled out`)
    parts.push(...dropped(coverage.dropped.calls, ''))
  }
  if (kind !== 'totals') {
    parts.push(...dropped(coverage.dropped.errors, kind === 'calls' ? 'errors ' : ''))
    parts.push(...expired(coverage, kind))
    parts.push(...leftOut(coverage, kind))
  } else if (isPart(coverage)) parts.push('totals beyond the time and the processes of this bundle')
  const { endedUncleanly } = coverage.processes
  if (endedUncleanly > 0) parts.push(uncleanText(endedUncleanly, coverage.unaccounted, kind))
  if (coverage.neverEnded > 0) {
    const where = endedUncleanly > 0 ? 'callsight crash' : 'view open_calls'
    parts.push(`${counted(coverage.neverEnded, 'call')} had begun and never ended (${where})`)
  }
  if (coverage.lostFiles > 0) {
    const files = counted(coverage.lostFiles, 'file')
    parts.push(
      `what was in ${files} that ${coverage.lostFiles === 1 ? 'is' : 'are'} gone or set aside (callsight losses)`,
    )
  }
  if (coverage.unreadable > 0)
    parts.push(`what ${counted(coverage.unreadable, 'unreadable account')} would tell was lost`)
  if (parts.length > 0) return `Not shown: ${parts.join(' · ')}`
  const since = coverage.totalsSince
  return kind === 'totals' && since !== null ? `${COMPLETE[kind]}, since ${toMinute(since)}` : COMPLETE[kind]
}

function dropped(byReason: Readonly<Record<string, number>>, what: string): string[] {
  const entries = Object.entries(byReason).filter(([, count]) => count > 0)
  if (entries.length === 0) return []
  const total = entries.reduce((sum, [, count]) => sum + count, 0)
  const reasons =
    entries.length === 1
      ? entries[0]?.[0]
      : entries.map(([name, n]) => `${name} ${formatCount(n)}`).join(', ')
  return [`${formatCount(total)} ${what}dropped (${reasons})`]
}

function expired(coverage: Coverage, kind: AnswerKind): string[] {
  const text = (gone: Expired | null, what: string) =>
    gone === null ? [] : [`${formatCount(gone.rows)} ${what}expired before ${toMinute(gone.upTo)}`]
  return [
    ...(kind === 'calls' ? text(coverage.expired.calls, '') : []),
    ...text(coverage.expired.errors, kind === 'calls' ? 'errors ' : ''),
  ]
}

function leftOut({ leftOut: { calls, errors } }: Coverage, kind: AnswerKind): string[] {
  const text = (gone: LeftOut | null, what: string) => {
    if (gone === null) return []
    const reasons = [
      gone.rows > gone.noRoom ? `${formatCount(gone.rows - gone.noRoom)} not asked for` : '',
      gone.noRoom > 0 ? `${formatCount(gone.noRoom)} without room` : '',
    ]
    return [
      `${formatCount(gone.rows)} ${what}left out of this bundle (${reasons.filter(Boolean).join(', ')})`,
    ]
  }
  return [...(kind === 'calls' ? text(calls, '') : []), ...text(errors, kind === 'calls' ? 'errors ' : '')]
}

/** The file is a bundle that has not all of its recording. */
function isPart({ leftOut: { calls, errors } }: Coverage): boolean {
  return calls !== null || errors !== null
}

/** Why something that was asked for by its id may not be there, as the end of a message. */
export function whyMissing(coverage: Coverage, kind: 'calls' | 'errors'): string {
  const reasons = ['expired', ...(kind === 'calls' ? ['been sampled out'] : [])]
  if (isPart(coverage)) reasons.push('been left out of this bundle')
  const last = reasons.pop()
  return `It may have ${reasons.length === 0 ? last : `${reasons.join(', ')} or ${last}`}.`
}

function uncleanText(processes: number, unaccounted: number, kind: AnswerKind): string {
  const who = `${counted(processes, 'process', 'processes')} ended uncleanly`
  if (kind === 'totals') return `the last counts of ${who.replace(' ended', ' that ended')}`
  return unaccounted > 0
    ? `${counted(unaccounted, 'record')} of ${who.replace(' ended', ' that ended')}`
    : `${who}, ${processes === 1 ? 'its' : 'their'} last records may be missing`
}
