import { Followed, useFollowed } from './store.js'

/** Where the reader is: the address says it all, so a copied link shows the same. */
export interface Place {
  readonly path: string
  readonly query: URLSearchParams
}

export type Changes = Readonly<Record<string, string | null>>

/** What a link to another view takes along: the span of time, and whether it stands still. */
const KEPT = ['range', 'from', 'to', 'paused']

const here = new Followed<Place>(read())

function read(): Place {
  return { path: location.pathname, query: new URLSearchParams(location.search) }
}

export const usePlace = (): Place => useFollowed(here)

/** Address of another view with the span of time of this one. */
export function linkTo(path: string, parameters: Changes = {}): string {
  const query = new URLSearchParams()
  for (const name of KEPT) {
    const value = here.value.query.get(name)
    if (value !== null) query.set(name, value)
  }
  return hrefOf(path, changed(query, parameters))
}

/** Address of this view with other parameters; `null` takes one away. */
export function linkHere(changes: Changes): string {
  return hrefOf(here.value.path, changed(new URLSearchParams(here.value.query), changes))
}

export function go(href: string, how: 'push' | 'replace' = 'push'): void {
  if (how === 'push') history.pushState(null, '', href)
  else history.replaceState(null, '', href)
  const before = here.value.path
  here.value = read()
  if (how === 'push' && here.value.path !== before) scrollTo(0, 0)
}

/** Follows the history, and takes clicks on links of the page into its own hands. */
export function startRouting(): void {
  addEventListener('popstate', () => {
    here.value = read()
  })
  document.addEventListener('click', event => {
    if (event.defaultPrevented || event.button !== 0) return
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    const link = event.target instanceof Element ? event.target.closest('a') : null
    if (link === null || link.target !== '' || link.origin !== location.origin || link.hash !== '') return
    event.preventDefault()
    go(link.href)
  })
}

function changed(query: URLSearchParams, changes: Changes): URLSearchParams {
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === '') query.delete(name)
    else query.set(name, value)
  }
  return query
}

function hrefOf(path: string, query: URLSearchParams): string {
  const text = query.toString()
  return text === '' ? path : `${path}?${text}`
}
