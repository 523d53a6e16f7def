/** Bytes that are not a payload of Callsight. The record they belong to cannot be stored. */
export class MalformedPayloadError extends Error {
  override readonly name = 'MalformedPayloadError'
  readonly code = 'CALLSIGHT_MALFORMED_PAYLOAD'
}

export function malformed(what: string, at: number): MalformedPayloadError {
  return new MalformedPayloadError(
    `The payload ${what} at byte ${at}. The record cannot be read and is set aside.`,
  )
}
