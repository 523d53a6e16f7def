import { useEffect, useRef, useState } from 'preact/hooks'
import type { Api } from '../../api.js'
import { ask, type Failure } from './ask.js'

export interface Answered<T> {
  /** The last answer, also while the next one is awaited. */
  readonly data: T | null
  readonly failure: Failure | null
  /** Another question was asked and its answer is not there yet. */
  readonly isWaiting: boolean
}

/** A server that is busy or gone is asked again, also for figures that otherwise stand still. */
const RETRY_MS = 5_000
const mayPass = (failure: Failure): boolean =>
  failure.kind === 'gone' || (failure.kind === 'failed' && failure.mayPass)

/**
 * The answer of one address, asked again after `refreshMs` while the page is seen. `null` as parameters: nothing is
 * asked yet.
 */
export function useAnswer<Address extends keyof Api>(
  address: Address,
  parameters: Readonly<Record<string, string>> | null,
  refreshMs: number | null = null,
): Answered<Api[Address]> {
  const key = parameters === null ? null : JSON.stringify(parameters)
  const [state, setState] = useState<Answered<Api[Address]> & { readonly key: string | null }>({
    data: null,
    failure: null,
    isWaiting: true,
    key: null,
  })
  const lastText = useRef('')

  useEffect(() => {
    if (key === null) return
    const abort = new AbortController()
    let timer: number | undefined
    let isAsking = false
    const once = async (): Promise<void> => {
      isAsking = true
      const reply = await ask(address, JSON.parse(key) as Record<string, string>, abort.signal)
      isAsking = false
      if ('failure' in reply) {
        lastText.current = ''
        setState(({ data }) => ({ data, failure: reply.failure, isWaiting: false, key }))
      } else if (reply.text !== lastText.current) {
        lastText.current = reply.text
        setState({ data: reply.data, failure: null, isWaiting: false, key })
      } else {
        setState(before => (before.key === key ? before : { ...before, isWaiting: false, key }))
      }
      plan('failure' in reply && mayPass(reply.failure) ? (refreshMs ?? RETRY_MS) : refreshMs)
    }
    const start = (): void => {
      if (isAsking) return
      once().catch((error: unknown) => {
        if (!abort.signal.aborted) throw error
      })
    }
    const plan = (ms: number | null): void => {
      window.clearTimeout(timer)
      if (ms !== null && !document.hidden) timer = window.setTimeout(start, ms)
    }
    const seenAgain = (): void => {
      if (refreshMs !== null && !document.hidden) start()
      else window.clearTimeout(timer)
    }
    document.addEventListener('visibilitychange', seenAgain)
    start()
    return () => {
      abort.abort()
      window.clearTimeout(timer)
      document.removeEventListener('visibilitychange', seenAgain)
    }
  }, [address, key, refreshMs])

  return { data: state.data, failure: state.failure, isWaiting: state.isWaiting || state.key !== key }
}
