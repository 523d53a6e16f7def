import { Followed } from './store.js'

export type Theme = 'light' | 'dark'

const KEY = 'callsight-theme'
const system = matchMedia('(prefers-color-scheme: dark)')

/** The reader's choice, else what the system says. */
export const theme = new Followed<Theme>(stored() ?? systemTheme())

export function startTheme(): void {
  system.addEventListener('change', () => {
    if (stored() === null) set(systemTheme())
  })
  set(theme.value)
}

export function toggleTheme(): void {
  const next = theme.value === 'dark' ? 'light' : 'dark'
  try {
    // A choice that is what the system says follows the system again.
    if (next === systemTheme()) localStorage.removeItem(KEY)
    else localStorage.setItem(KEY, next)
  } catch {
    // Storage may be switched off: the choice holds until the page is left.
  }
  set(next)
}

/** The value of a custom property, for what is drawn on a canvas. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim()
}

function set(next: Theme): void {
  document.documentElement.dataset['theme'] = next
  theme.value = next
}

function systemTheme(): Theme {
  return system.matches ? 'dark' : 'light'
}

function stored(): Theme | null {
  try {
    const value = localStorage.getItem(KEY)
    return value === 'light' || value === 'dark' ? value : null
  } catch {
    return null
  }
}
