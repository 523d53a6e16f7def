import type { Api, ErrorBody } from '../../api.js'
import { Followed } from './store.js'

/** Why there is no answer: the token is not (any more) valid, nobody answers, or the server says why. */
export type Failure =
  | { readonly kind: 'refused' }
  | { readonly kind: 'gone' }
  | { readonly kind: 'failed'; readonly message: string; readonly mayPass: boolean }

export type Reply<T> = { readonly data: T; readonly text: string } | { readonly failure: Failure }

/** How the last request went; the head of the page shows it. */
export const connection = new Followed<'asking' | 'answers' | 'refused' | 'gone'>('asking')

export async function ask<Address extends keyof Api>(
  address: Address,
  parameters: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Reply<Api[Address]>> {
  const query = new URLSearchParams(parameters).toString()
  try {
    const response = await fetch(query === '' ? address : `${address}?${query}`, {
      signal,
      cache: 'no-store',
    })
    const text = await response.text()
    if (response.status === 401) {
      connection.value = 'refused'
      return { failure: { kind: 'refused' } }
    }
    connection.value = 'answers'
    const body: unknown = JSON.parse(text)
    if (response.ok) return { data: body as Api[Address], text }
    const { message } = (body as ErrorBody).error
    return { failure: { kind: 'failed', message, mayPass: response.status >= 500 } }
  } catch (error) {
    if (signal.aborted) throw error
    if (error instanceof TypeError) {
      connection.value = 'gone'
      return { failure: { kind: 'gone' } }
    }
    return {
      failure: {
        kind: 'failed',
        message: 'The server sent an answer this page cannot read.',
        mayPass: false,
      },
    }
  }
}
