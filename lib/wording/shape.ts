import { parseRecorded } from '../store/recorded-json.js'
/** `[["array",500],["Order",5],"number"]` reads `array 500, Order 5, number`; any other text is shown as it stands. */
export function formatShape(shape: string): string {
  try {
    const parsed: unknown = parseRecorded(shape)
    if (Array.isArray(parsed)) return parsed.map(argument => partsOf(argument).join(' ')).join(', ')
  } catch {
    // Shown as it stands.
  }
  return shape
}

function partsOf(argument: unknown): string[] {
  const parts: readonly unknown[] = Array.isArray(argument) ? argument : [argument]
  return parts.map(part => (typeof part === 'string' ? part : JSON.stringify(part)))
}

/** What there is of the arguments of a call on one line. */
export function argumentsText(call: { readonly args: string | null; readonly shape: string | null }): string {
  if (call.args !== null) return call.args
  return call.shape === null ? '' : `(${formatShape(call.shape)})`
}

/** What went in and what came out, on one line. */
export function exchangeText(call: {
  readonly args: string | null
  readonly shape: string | null
  readonly result: string | null
}): string {
  return `${argumentsText(call)}${call.result === null ? '' : ` → ${call.result}`}`
}
