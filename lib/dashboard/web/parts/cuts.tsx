import type { CutReason } from '../../../serialize/markers.js'
import { parseRecorded } from '../../../store/recorded-json.js'
import { counted, formatCount } from '../data/figures.js'

const REASONS: Readonly<Record<CutReason, string>> = {
  depth: 'nested deeper than is recorded',
  fields: 'more fields than are recorded of one object',
  items: 'more items than are recorded of one list',
  string: 'text longer than is recorded',
  nodes: 'more values than are recorded of one call',
  bytes: 'more bytes than are recorded of one call',
  cost: 'recorded by type only, because it had been costly before',
  redacted: 'a secret, replaced before it was recorded',
  getter: 'computed by code of the program, which recording never runs',
  proxy: 'a Proxy, whose traps recording never calls',
}

/** What capture left out of a value and why; nothing when it left out nothing. */
export function Cuts({ json }: { readonly json: string | null }) {
  const cuts = entriesOf(json)
  if (cuts.length === 0) return null
  return (
    <dl class="cuts" aria-label="Left out by capture">
      {cuts.map(([reason, count]) => (
        <div key={reason}>
          <dt>
            {reason} {formatCount(count)}
          </dt>
          <dd>{Object.hasOwn(REASONS, reason) ? REASONS[reason as CutReason] : counted(count, 'value')}</dd>
        </div>
      ))}
    </dl>
  )
}

function entriesOf(json: string | null): [string, number][] {
  if (json === null) return []
  try {
    const parsed: unknown = parseRecorded(json)
    if (typeof parsed !== 'object' || parsed === null) return []
    return Object.entries(parsed).filter((entry): entry is [string, number] => typeof entry[1] === 'number')
  } catch {
    return []
  }
}
