import { PAGE_NAME, STORE_NAME, writeBundle } from '../export/bundle.js'
import { choose } from '../export/choice.js'
import { StoreQueryError } from '../store/read-errors.js'
import { OWN_VERSION } from '../threads/own-version.js'
import { counted, formatBytes } from '../wording/format.js'
import { visible } from '../wording/text.js'
import type { ExportOptions } from './export.js'
import { scopeOf, whileStoreIsOpen } from './options.js'
import type { Screen } from './screen.js'

const DEFAULT_BYTES = 20_000_000
/** What has no meaning for a bundle, by the names of the options. */
const OF_RECORDS = ['format', 'out', 'function', 'error', 'minDuration', 'limit'] as const

/** `false`: nothing to put into it. */
export async function exportBundle(
  folder: string,
  id: string | undefined,
  options: ExportOptions,
  screen: Screen,
): Promise<boolean> {
  if (folder === '') throw new StoreQueryError('--bundle names no folder. Give it one.')
  const extra = OF_RECORDS.find(name => options[name] !== undefined)
  if (extra !== undefined) {
    const name = extra.replace(/[A-Z]/, letter => `-${letter.toLowerCase()}`)
    throw new StoreQueryError(`--${name} is not for a --bundle. Leave it out.`)
  }
  return whileStoreIsOpen(options, async store => {
    const bundle = await writeBundle(store, folder, {
      choice: choose(store, id, scopeOf(options)),
      maxBytes: options.maxSize ?? DEFAULT_BYTES,
      content: options.args,
      force: options.force ?? false,
      version: OWN_VERSION,
    })
    if (bundle === null) {
      screen.writeError('Nothing was recorded in that time: there is nothing to bundle.\n')
      return false
    }
    const { calls, errors } = bundle.records
    screen.write(
      `${visible(folder)}: ${counted(calls, 'call')} and ${counted(errors, 'error')}, ${formatBytes(bundle.bytes)} in ${STORE_NAME} and ${PAGE_NAME}.\n${visible(bundle.text)}\n`,
    )
    return true
  })
}
