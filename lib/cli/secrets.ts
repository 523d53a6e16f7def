import type { HiddenName, HiddenNames } from '../store/queries/hidden.js'
import { counted, formatCount } from '../wording/format.js'
import { notShown } from '../wording/not-shown.js'
import { renderFooter } from './footer.js'
import { type ScopeOptions, scopeOf, withStore, writeJson } from './options.js'
import type { EndWith } from './program.js'
import type { Screen } from './screen.js'
import { type Column, renderTable } from './table.js'

const COLUMNS: readonly Column<HiddenName>[] = [
  { header: 'RECORDS', value: row => formatCount(row.records), align: 'right' },
  { header: 'LAST', value: row => row.last_at, style: () => 'dim' },
  { header: 'FUNCTION', value: row => row.function, style: () => 'bold', min: 12, max: 40 },
  { header: 'WHERE', value: row => row.place },
  { header: 'HIDDEN', value: describe, style: () => 'cyan', min: 12 },
]

/** `doctor --secrets`: what capture has hidden, by name. Nothing here has ever seen a value. */
export function showSecrets(options: ScopeOptions, screen: Screen, endWith: EndWith): void {
  withStore(options, store => {
    screen.working('Looking for what was hidden')
    const hidden = store.hiddenNames(scopeOf(options))
    screen.working(null)
    if (hidden.names.length === 0) endWith(3)
    const coverage = store.coverage(scopeOf(options))
    if (options.json) {
      writeJson(screen, {
        rows: hidden.names,
        coverage,
        looked_at: hidden.lookedAt,
        not_looked_at: hidden.notLookedAt,
      })
      return
    }
    screen.write(
      hidden.names.length === 0 ? 'Nothing was hidden.\n' : renderTable(COLUMNS, hidden.names, screen),
    )
    screen.write(renderFooter(screen, lookedAt(hidden)))
    screen.write(renderFooter(screen, notShown(coverage, 'calls')))
  })
}

function describe({ name, in_text }: HiddenName): string {
  if (name === '') return in_text ? '(in text)' : '(all of it)'
  return in_text ? `${name} (in text)` : name
}

function lookedAt({ lookedAt: records, notLookedAt }: HiddenNames): string {
  if (notLookedAt === 0) return `Complete: all ${counted(records, 'record')} looked at`
  return `Looked at the newest ${counted(records, 'record')}, not at ${formatCount(notLookedAt)} older ones`
}
