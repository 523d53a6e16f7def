import { useEffect, useState } from 'preact/hooks'

/** One value that several parts of the page follow. */
export class Followed<T> {
  #value: T
  readonly #followers = new Set<() => void>()

  constructor(value: T) {
    this.#value = value
  }

  get value(): T {
    return this.#value
  }

  set value(value: T) {
    if (Object.is(value, this.#value)) return
    this.#value = value
    for (const follower of [...this.#followers]) follower()
  }

  follow(follower: () => void): () => void {
    this.#followers.add(follower)
    return () => this.#followers.delete(follower)
  }
}

export function useFollowed<T>(followed: Followed<T>): T {
  const [, setCount] = useState(0)
  useEffect(() => followed.follow(() => setCount(count => count + 1)), [followed])
  return followed.value
}
