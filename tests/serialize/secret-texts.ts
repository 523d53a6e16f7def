import fc from '../support/fast-check.js'
import { SECRET_SPELLINGS } from './secret-spellings.js'

/** What secrets, their names and what stands around them are made of, in ASCII. */
const name = fc.oneof(
  fc.constantFrom(...SECRET_SPELLINGS.filter(spelling => /^[\0-\x7f]*$/.test(spelling))),
  fc.constantFrom('a', 'js', 'mjs', 'node', 'Error', '12', '4', 'x1', '2fa', 'API Key', 'id', 'code', 'type'),
  fc.constantFrom('name', 'value', 'key', 'data', 'content', 'header', 'input', 'val', 'label', 'password'),
)
const separator = fc.constantFrom(
  ...[
    '=',
    ':',
    ': ',
    ' = ',
    '==',
    ':=',
    '=>',
    '":"',
    "':'",
    '\\":\\"',
    ' : ',
    ']=',
    '"]=',
    '%5D=',
    '%3D',
    '%3A',
  ],
  ...[
    '://',
    ':///',
    '%3A%2F%2F',
    ':',
    '":{"',
    '=[',
    ':\n  ',
    ': |\n  ',
    '>',
    ' ',
    ',',
    '","',
    "', '",
    '\t=\t',
  ],
)
const value = fc.oneof(
  fc.constantFrom(
    '1',
    'hunter2',
    '"two words"',
    "'x'",
    '""',
    '[1,2]',
    '{"a":"b"}',
    'Bearer abcd1234',
    '|',
    '@',
  ),
  fc.constantFrom('user:pass@host', 'user:pa/ss@host:80/x', 'host:80', '/srv/a.js:10:4', '12:30:45', '4111'),
)
const around = fc.constantFrom(
  ...[
    '',
    ' ',
    '\n',
    '\r\n',
    '\t',
    '&',
    '?',
    '#',
    ';',
    ',',
    '"',
    "'",
    '`',
    '\\',
    '<',
    '</',
    '>',
    '{',
    '}',
    '(',
    ')',
  ],
  ...[
    '[',
    ']',
    '%',
    '%22',
    '%20',
    '+',
    '-',
    '--',
    '- ',
    ' --',
    ' -p',
    '$',
    '_',
    '.',
    '/',
    '@',
    'Error: ',
    'export ',
  ],
  ...[
    '\n    at ',
    ' at x (file:///srv/a.mjs:1:2)\n',
    '\r\n\r\n',
    '\r\n--',
    'mysql -p',
    '"--',
    '["',
    '<password>',
  ],
)
const piece = fc.oneof(
  fc.tuple(name, separator, value).map(parts => parts.join('')),
  fc.oneof(name, separator, value),
  around,
)

/** A text of such pieces in any order. */
export const hostileText = fc.array(fc.oneof(piece, around), { maxLength: 14 }).map(parts => parts.join(''))

/** Texts that match a pattern: generated without what a generator cannot look at, then tried. */
export function matchingText(pattern: string): fc.Arbitrary<string> {
  const simple = pattern
    .replace('(?=[A-Za-z]{0,200}(?:[0-9+/=]|[a-z][A-Z]))', '')
    .replace('(?= |$)', '')
    .replaceAll('\\b', '')
    .replace(/\(\?<\w+>/g, '(?:')
  const whole = new RegExp(pattern)
  return fc.stringMatching(new RegExp(`^(?:${simple})$`), { maxLength: 60 }).filter(text => whole.test(text))
}
