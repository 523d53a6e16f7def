import { execRegExp } from './intrinsics.js'
import type { Spans } from './secret-spans.js'

/**
 * Every token known by its prefix. All are linear: each alternative starts with a literal and goes on with one
 * character class. A token that runs past the window still matches by its beginning.
 */
const TOKENS = new RegExp(
  [
    '(?:[Bb]earer|BEARER)\\s+[^\\s"\',;]{4,}',
    '(?:[Bb]asic|BASIC)\\s+(?=[A-Za-z]{0,200}(?:[0-9+/=]|[a-z][A-Z]))[A-Za-z0-9+/=_-]{6,}',
    '-----BEGIN [A-Z0-9 ]{1,60}-----[\\s\\S]*?(?:-----END [A-Z0-9 ]{1,60}-----|$)',
    'eyJ[A-Za-z0-9_-]{8,}(?:\\.[A-Za-z0-9_-]*){0,4}',
    '(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA|AGPA|ANPA)[A-Z0-9]{12,}',
    'AIza[A-Za-z0-9_-]{30,}',
    'ya29\\.[A-Za-z0-9_-]{10,}',
    'GOCSPX-[A-Za-z0-9_-]{10,}',
    'gh[pousr]_[A-Za-z0-9]{16,}',
    'github_pat_[A-Za-z0-9_]{16,}',
    'glpat-[A-Za-z0-9_-]{16,}',
    'npm_[A-Za-z0-9]{30,}',
    'pypi-[A-Za-z0-9_-]{16,}',
    'hf_[A-Za-z0-9]{20,}',
    'dop_v1_[a-f0-9]{32,}',
    'xox[a-z]-[A-Za-z0-9-]{8,}',
    'xapp-[A-Za-z0-9-]{8,}',
    'hooks\\.slack\\.com/services/[A-Za-z0-9/]+',
    '(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{8,}',
    'whsec_[A-Za-z0-9+/=]{8,}',
    '\\bsk-[A-Za-z0-9_-]{16,}',
    'SG\\.[A-Za-z0-9_-]{10,}(?:\\.[A-Za-z0-9_-]*)?',
    '\\bSK[0-9a-f]{32}',
  ].join('|'),
  'g',
)

/** Three characters of every prefix above: a text without any of them needs no search. */
export const TOKEN_TRIGRAMS =
  'ear EAR asi ASI --- eyJ AKI ABI ACC ARO AID AGP ANP AIz ya2 GOC ghp gho ghu ghs ghr _pa glp npm ypi hf_ dop xox xap s.s sk_ rk_ hse sk- SG. SK0 SK1 SK2 SK3 SK4 SK5 SK6 SK7 SK8 SK9 SKa SKb SKc SKd SKe SKf'

export function markTokens(text: string, spans: Spans): void {
  TOKENS.lastIndex = 0
  for (let match = execRegExp(TOKENS, text); match !== null; match = execRegExp(TOKENS, text)) {
    spans.add(match.index, TOKENS.lastIndex)
  }
}
