import { useMemo, useState } from 'preact/hooks'
import { parseRecorded } from '../../../store/recorded-json.js'
import { visible, visibleLines } from '../../../wording/text.js'

/** Children of one value that are shown at first, and more at each request. */
const PAGE = 50
/** Values nearer to the root than this are open at first. */
const OPEN_DEPTH = 2
const LONG_TEXT = 160
const PREVIEWED = 4
const PREVIEW_TEXT = 24

/** JSON text as a tree to open and close; text that is no JSON as it stands. */
export function JsonTree({ json, label }: { readonly json: string; readonly label: string }) {
  const parsed = useMemo(() => parse(json), [json])
  if (parsed === null) return <pre class="code block">{visibleLines(json).join('\n')}</pre>
  return (
    <ul class="json code" aria-label={label}>
      <Value name={null} value={parsed.value} depth={0} />
    </ul>
  )
}

function parse(json: string): { readonly value: unknown } | null {
  try {
    return { value: parseRecorded(json) as unknown }
  } catch {
    return null
  }
}

function Value({
  name,
  value,
  depth,
}: {
  readonly name: string | null
  readonly value: unknown
  readonly depth: number
}) {
  if (isBranch(value)) return <Branch name={name} value={value} depth={depth} />
  return (
    <li>
      <Name name={name} />
      <Leaf value={value} />
    </li>
  )
}

function Branch({
  name,
  value,
  depth,
}: {
  readonly name: string | null
  readonly value: object
  readonly depth: number
}) {
  const entries = useMemo(() => Object.entries(value), [value])
  const [isOpen, setOpen] = useState(depth < OPEN_DEPTH && entries.length <= PAGE)
  const [count, setCount] = useState(PAGE)
  const isList = Array.isArray(value)
  if (entries.length === 0) {
    return (
      <li>
        <Name name={name} />
        <span class="quiet">{isList ? '[]' : '{}'}</span>
      </li>
    )
  }
  const size = isList ? `[${entries.length}]` : `{${entries.length}}`
  return (
    <li>
      <button type="button" class="fold" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        <span class="arrow" aria-hidden="true" />
        <Name name={name} />
        <span class="quiet">{isOpen ? size : preview(entries, isList)}</span>
      </button>
      {isOpen && (
        <ul>
          {entries.slice(0, count).map(([key, child]) => (
            <Value key={key} name={key} value={child} depth={depth + 1} />
          ))}
          {entries.length > count && (
            <li>
              <button type="button" class="link" onClick={() => setCount(count + PAGE)}>
                {entries.length - count} more
              </button>
            </li>
          )}
        </ul>
      )}
    </li>
  )
}

/** What is in a closed value, as far as it fits on a line. */
function preview(entries: readonly (readonly [string, unknown])[], isList: boolean): string {
  const parts = entries.slice(0, PREVIEWED).map(([key, value]) => {
    const text = isBranch(value) ? (Array.isArray(value) ? '[…]' : '{…}') : JSON.stringify(value)
    const short = text.length > PREVIEW_TEXT ? `${text.slice(0, PREVIEW_TEXT)}…` : text
    return isList ? short : `${key.slice(0, PREVIEW_TEXT)}: ${short}`
  })
  const rest = entries.length > PREVIEWED ? [`${entries.length - PREVIEWED} more`] : []
  const inside = visible([...parts, ...rest].join(', '))
  return isList ? `[${inside}]` : `{ ${inside} }`
}

function isBranch(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function Name({ name }: { readonly name: string | null }) {
  return name === null ? null : (
    <>
      <bdi class="json-name">{visible(name)}</bdi>
      <span class="quiet">: </span>
    </>
  )
}

/** What capture put in the place of a value: `[redacted]`, `[Array 500: depth]`. */
const MARKER = /^\[.+\]$/su

function Leaf({ value }: { readonly value: unknown }) {
  const [isWhole, setWhole] = useState(false)
  if (typeof value !== 'string') return <span class="json-plain">{String(value)}</span>
  if (MARKER.test(value)) return <bdi class="json-cut">{visible(value)}</bdi>
  const isLong = value.length > LONG_TEXT
  const text = isLong && !isWhole ? `${value.slice(0, LONG_TEXT)}…` : value
  return (
    <>
      <bdi class="json-text">"{visible(text)}"</bdi>
      {isLong && (
        <button type="button" class="link" onClick={() => setWhole(!isWhole)}>
          {isWhole ? 'less' : `all ${value.length} characters`}
        </button>
      )}
    </>
  )
}
