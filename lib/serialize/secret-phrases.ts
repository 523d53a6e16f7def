import { charCodeAt, execRegExp, indexOf, lastIndexOf, max, stringSlice, toLowerCase } from './intrinsics.js'
import { isNameUnit, isQuote, isSpace, type NameJudge, unitAt, wordStart } from './secret-name-in-text.js'
import type { Spans } from './secret-spans.js'

/**
 * Sentences of databases, validators and addresses that quote a value. `name` decides where there is one. Each
 * alternative starts with a literal and is bounded.
 */
export const PHRASE_PATTERNS: readonly string[] = [
  '"(?<label>[^"\\r\\n]{1,64})" with value (?<labelled>"[^"]*)',
  "Duplicate entry '(?<entry>[^\\r\\n]{0,1000}?)' for key '(?<index>[^'\\r\\n]{1,128})'",
  'Key \\((?<columns>[^)\\r\\n]{1,256})\\)=\\((?<values>[^\\r\\n]{0,1000}?)\\)(?= |$)',
  '(?:[Pp]assw(?:or)?d|PASSW(?:OR)?D)[\'"`\\\\]{0,4}[ :]+(?:is:? |was:? )?\\\\*[\'"`](?<quoted>[^\'"`]+)',
  'IDENTIFIED (?:WITH \\S{1,64} )?BY [\'"](?<identified>[^\'"]+)',
  'jdbc:oracle:[a-z0-9]{1,16}:(?<login>[^\\s@]{1,256})@',
  ':(?<driver>[^\\s@:/]{1,128})@(?:tcp|unix)\\(',
]
const PHRASES = new RegExp(PHRASE_PATTERNS.join('|'), 'dg')
/** As the parts of tokens: one of each phrase, and of each flag below. */
export const PHRASE_PARTS: readonly string[] = [
  '" w',
  'Dup',
  ')=(',
  'ssw',
  'SSW',
  'NTIFIED',
  'jdb',
  '@tcp',
  '@unix',
  ' --',
  '--p',
  '--t',
  '--s',
  '--a',
  '--c',
  ' -p',
  ' -u',
  ' -a',
]

export function markPhrases(text: string, names: NameJudge, spans: Spans): void {
  PHRASES.lastIndex = 0
  for (let match = execRegExp(PHRASES, text); match !== null; match = execRegExp(PHRASES, text)) {
    const { label, index, columns } = match.groups as Record<string, string | undefined>
    const name = label ?? index ?? columns
    if (name !== undefined && !hasSecretName(name, names)) continue
    const at = match.indices?.groups as Record<string, [number, number] | undefined>
    const value =
      at['labelled'] ??
      at['entry'] ??
      at['values'] ??
      at['quoted'] ??
      at['identified'] ??
      at['login'] ??
      at['driver']
    if (value !== undefined && value[1] > value[0]) spans.add(value[0], value[1])
  }
}

/** Whether one of the names in `email, token` is secret. */
function hasSecretName(list: string, names: NameJudge): boolean {
  let from = 0
  for (;;) {
    const comma = indexOf(list, ',', from)
    let start = from
    const end = comma < 0 ? list.length : comma
    while (start < end && !isNameUnit(charCodeAt(list, start))) start++
    if (names.isSecretName(stringSlice(list, start, end))) return true
    if (comma < 0) return false
    from = comma + 1
  }
}

/** How far in front of a flag the command it belongs to may stand. */
const MAX_COMMAND_UNITS = 256
/** Commands that take a password with the flag. */
const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  p: ['mysql', 'mariadb', 'sshpass', 'docker login', 'podman login', 'mongo'],
  u: ['curl '],
  a: ['redis-cli'],
}

/** `--password …` of a command line in a text, and `-p…`, `-u user:…`, `-a …` behind a command that is known. */
export function markFlags(text: string, names: NameJudge, spans: Spans): void {
  for (let at = indexOf(text, '-'); at >= 0; at = indexOf(text, '-', at + 1)) {
    if (at > 0 && !isSpace(charCodeAt(text, at - 1)) && !isQuote(charCodeAt(text, at - 1))) continue
    const isLong = unitAt(text, at + 1) === 45
    let from: number
    if (isLong) {
      let end = at + 2
      while (isNameUnit(unitAt(text, end))) end++
      if (!isSpace(unitAt(text, end)) || !names.isSecretName(stringSlice(text, at + 2, end))) continue
      from = end
    } else {
      if (!isPasswordFlag(text, at)) continue
      from = at + 2
    }
    while (isSpace(unitAt(text, from))) from++
    const quote = unitAt(text, from)
    if (quote === 45 && isLong) continue
    let end = isQuote(quote) ? indexOf(text, stringSlice(text, from, from + 1), ++from) : from
    if (end < 0) end = text.length
    else if (!isQuote(quote)) while (end < text.length && charCodeAt(text, end) > 32) end++
    if (end <= from) continue
    spans.add(from, end)
    at = end - 1
  }
}

function isPasswordFlag(text: string, at: number): boolean {
  const commands = COMMANDS[stringSlice(text, at + 1, at + 2)]
  if (commands === undefined) return false
  const before = toLowerCase(stringSlice(text, max(0, at - MAX_COMMAND_UNITS), at))
  const line = stringSlice(before, lastIndexOf(before, '\n') + 1)
  for (let i = 0; i < commands.length; i++) {
    const command = commands[i] as string
    const found = lastIndexOf(line, command)
    if (found >= 0 && wordStart(line, found, found) === found) return true
  }
  return false
}
