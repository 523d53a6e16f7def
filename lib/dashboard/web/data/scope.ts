import { createContext } from 'preact'
import { useContext } from 'preact/hooks'
import type { Api, SessionAnswer } from '../../api.js'
import { askedRange, type Chosen } from './range.js'
import { type Answered, useAnswer } from './use-answer.js'

/** What all views share: the recording, the span of time, how often to ask again. */
export interface Scope {
  readonly session: SessionAnswer
  readonly chosen: Chosen
  /** `null`: the figures stand still. */
  readonly refreshMs: number | null
}

const ScopeContext = createContext<Scope | null>(null)
export const ScopeProvider = ScopeContext.Provider

export function useScope(): Scope {
  const scope = useContext(ScopeContext)
  if (scope === null) throw new Error('outside of the page')
  return scope
}

/** As {@link useAnswer}, for the span of time the reader chose; what is costly to answer is asked less often. */
export function useScoped<Address extends keyof Api>(
  address: Address,
  parameters: Readonly<Record<string, string | null>> = {},
  leastRefreshMs = 0,
): Answered<Api[Address]> {
  const { session, chosen, refreshMs } = useScope()
  const every = refreshMs === null ? null : Math.max(refreshMs, leastRefreshMs)
  const given = Object.entries(parameters).filter(
    (entry): entry is [string, string] => entry[1] !== null && entry[1] !== '',
  )
  return useAnswer(address, { ...askedRange(chosen, session), ...Object.fromEntries(given) }, every)
}
