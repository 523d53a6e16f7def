/** A line of a stack that says where a call was, in the form V8 gives it. */
const FRAME = /^\s+at .*(?::\d+:\d+|native|<anonymous>)\)?$/

interface Content {
  readonly args?: string | null
  readonly result?: string | null
  readonly message?: string | null
  readonly stack?: string | null
  readonly details?: string | null
  readonly error?: string | null
}

/** The row without what the program worked on: types, times, places and counts stay. */
export function withoutContent<Row extends object>(row: Row): Row {
  const given = row as Content
  const gone: Record<string, unknown> = {}
  for (const name of ['args', 'result', 'message', 'details'] as const) if (name in given) gone[name] = null
  if (given.stack != null) gone['stack'] = placesOf(given.stack, given.message ?? '')
  return { ...row, ...gone }
}

/** The frames at the end of a stack. What stands before them is the message, which may look like frames itself. */
export function placesOf(stack: string, message: string): string {
  const at = message === '' ? -1 : stack.indexOf(message)
  const lines = stack.slice(at < 0 ? 0 : at + message.length).split(/\r?\n/)
  const first = lines.findLastIndex(line => line !== '' && !FRAME.test(line)) + 1
  return lines.slice(first).filter(Boolean).join('\n')
}
