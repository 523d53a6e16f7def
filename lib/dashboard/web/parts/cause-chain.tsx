import { parseRecorded } from '../../../store/recorded-json.js'
import { visibleLines } from '../../../wording/text.js'
import { JsonTree } from './json-tree.js'
import { Captured } from './text.js'

interface Link {
  readonly type: string
  readonly message: string
}

interface Details {
  readonly causes: readonly Link[]
  readonly errors: readonly Link[]
  /** The error's own fields, JSON text. */
  readonly fields: string | null
}

/** Longer chains are not recorded; a file that has one was made by something else. */
const MAX_CAUSES = 64

/** What the error was caused by, step by step, what it gathers, and the fields it carries. */
export function CauseChain({ details }: { readonly details: string }) {
  const parsed = detailsOf(details)
  if (parsed === null) return <pre class="code block">{visibleLines(details).join('\n')}</pre>
  const { causes, errors, fields } = parsed
  return (
    <>
      {causes.length > 0 && (
        <>
          <h3>Caused by</h3>
          <ErrorLinks links={causes} />
        </>
      )}
      {errors.length > 0 && (
        <>
          <h3>Gathers</h3>
          <ErrorLinks links={errors} />
        </>
      )}
      {fields !== null && (
        <>
          <h3>Own fields</h3>
          <JsonTree json={fields} label="Own fields of the error" />
        </>
      )}
    </>
  )
}

function ErrorLinks({ links }: { readonly links: readonly Link[] }) {
  return (
    <ol class="causes">
      {links.map((link, i) => (
        <li key={i}>
          <b>
            <Captured text={link.type} />
          </b>{' '}
          <Captured text={link.message} />
        </li>
      ))}
    </ol>
  )
}

function detailsOf(json: string): Details | null {
  try {
    const parsed: unknown = parseRecorded(json)
    if (!isFields(parsed)) return null
    const { cause, errors, ...fields } = parsed
    const causes: Link[] = []
    for (let next: unknown = cause; next !== undefined && causes.length < MAX_CAUSES; ) {
      causes.push(linkOf(next))
      next = isFields(next) ? next['cause'] : undefined
    }
    return {
      causes,
      errors: Array.isArray(errors) ? errors.map(linkOf) : [],
      fields: Object.keys(fields).length === 0 ? null : JSON.stringify(fields),
    }
  } catch {
    return null
  }
}

function linkOf(value: unknown): Link {
  if (!isFields(value))
    return { type: '', message: typeof value === 'string' ? value : JSON.stringify(value) }
  const { '@class': type, message } = value
  return {
    type: typeof type === 'string' ? type : 'object',
    message: typeof message === 'string' ? message : JSON.stringify(value),
  }
}

function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
