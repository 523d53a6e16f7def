import { useEffect, useId, useState } from 'preact/hooks'
import { go, linkHere, usePlace } from '../data/place.js'

interface Props {
  /** Parameter of the address. */
  readonly name: string
  readonly label: string
  readonly placeholder?: string
}

const SETTLE_MS = 250

/** Text that goes into the address once the reader pauses; `/` leads to the first one of a view. */
export function Filter({ name, label, placeholder = '' }: Props) {
  const { query } = usePlace()
  const inAddress = query.get(name) ?? ''
  const [text, setText] = useState(inAddress)
  const id = useId()

  useEffect(() => setText(inAddress), [inAddress])
  useEffect(() => {
    if (text.trim() === inAddress) return
    const timer = window.setTimeout(() => go(linkHere({ [name]: text.trim() }), 'replace'), SETTLE_MS)
    return () => window.clearTimeout(timer)
  }, [text, inAddress, name])

  return (
    <div class="filter">
      <label class="sr" htmlFor={id}>
        {label}
      </label>
      <input
        id={id}
        type="search"
        value={text}
        placeholder={placeholder === '' ? label : `${label}, ${placeholder}`}
        autocomplete="off"
        spellcheck={false}
        onInput={event => setText(event.currentTarget.value)}
      />
      <kbd>/</kbd>
    </div>
  )
}

/** A choice of a few that goes into the address. */
export function Choice({
  name,
  label,
  options,
}: {
  readonly name: string
  readonly label: string
  /** Value and text; the value `''` is the default and stays out of the address. */
  readonly options: readonly (readonly [string, string])[]
}) {
  const { query } = usePlace()
  const id = useId()
  return (
    <div class="choice">
      <label htmlFor={id}>{label}</label>
      <select
        id={id}
        value={query.get(name) ?? ''}
        onChange={event => go(linkHere({ [name]: event.currentTarget.value }), 'replace')}
      >
        {options.map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
    </div>
  )
}

/** What the server is asked for: text without `*` and `?` may stand anywhere in the name. */
export function patternOf(text: string | null): string | null {
  if (text === null || text === '') return null
  return /[*?]/.test(text) ? text : `*${text}*`
}
