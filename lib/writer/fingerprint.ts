import { createHash } from 'node:crypto'

/** Numbers, hex strings and quoted names differ between occurrences of the same error. */
const VARIABLE = /0x[0-9a-f]+|[0-9a-f]{8}-[0-9a-f-]{27}|\d+(?:\.\d+)?|"[^"]*"|'[^']*'/gi

/** 16 hex digits that are the same for errors of one function, class and message apart from its variable parts. */
export function fingerprint(functionName: string, errorClass: string, message: string): string {
  const template = message.slice(0, 500).replace(VARIABLE, '#')
  return createHash('sha1').update(`${functionName}\0${errorClass}\0${template}`).digest('hex').slice(0, 16)
}
