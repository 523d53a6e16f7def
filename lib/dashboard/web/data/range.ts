import type { SessionAnswer } from '../../api.js'

/** What the picker offers, in milliseconds; `all` is the whole recording. */
export const PRESETS = { '5m': 300_000, '15m': 900_000, '1h': 3_600_000, '6h': 21_600_000 } as const
export type Preset = keyof typeof PRESETS | 'all'
export const DEFAULT_PRESET: Preset = '1h'

/** The span of time the address asks for: one that moves on with the recording, or one that stands. */
export type Chosen =
  | { readonly kind: 'last'; readonly preset: Preset }
  | { readonly kind: 'span'; readonly sinceMs: number; readonly untilMs: number }

export function chosenRange(query: URLSearchParams): Chosen {
  const sinceMs = Date.parse(query.get('from') ?? '')
  const untilMs = Date.parse(query.get('to') ?? '')
  if (sinceMs < untilMs) return { kind: 'span', sinceMs, untilMs }
  const name = query.get('range') ?? ''
  return { kind: 'last', preset: Object.hasOwn(PRESETS, name) || name === 'all' ? (name as Preset) : '1h' }
}

/** Parameters of the address for a span, as text a person can read. */
export function spanParameters(sinceMs: number, untilMs: number): Record<string, string | null> {
  const iso = (ms: number) => new Date(ms).toISOString()
  return { range: null, from: iso(Math.floor(sinceMs)), to: iso(Math.ceil(untilMs)) }
}

/**
 * What the server is asked for. The last minutes of a recording nobody writes into are those before its end, not
 * those before now.
 */
export function askedRange(
  chosen: Chosen,
  session: Pick<SessionAnswer, 'isLive' | 'recorded'>,
): Readonly<Record<string, string>> {
  if (chosen.kind === 'span') return { since: `${chosen.sinceMs}`, until: `${chosen.untilMs}` }
  const { recorded } = session
  if (chosen.preset === 'all') return recorded === null ? {} : { since: `${recorded.sinceMs}` }
  if (session.isLive || recorded === null) return { since: chosen.preset }
  return { since: `${recorded.untilMs - PRESETS[chosen.preset]}`, until: `${recorded.untilMs}` }
}
