import { execRegExp } from './intrinsics.js'
import type { Spans } from './secret-spans.js'

/**
 * Every token known by its prefix. All are linear: each alternative starts with a literal and goes on with one
 * character class. A token that runs past the window still matches by its beginning.
 */
export const TOKEN_PATTERNS: readonly string[] = [
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
  'shp(?:at|ca|pa|ss)_[a-fA-F0-9]{16,}',
  'hv[sbr]\\.[A-Za-z0-9_-]{20,}',
  'dckr_pat_[A-Za-z0-9_-]{16,}',
  'lin_api_[A-Za-z0-9]{16,}',
  'ntn_[A-Za-z0-9]{16,}',
  'sq0(?:atp|csp|idp)-[A-Za-z0-9_-]{16,}',
  'xkeysib-[a-f0-9]{10,}[A-Za-z0-9-]*',
  'r8_[A-Za-z0-9]{30,}',
  'gsk_[A-Za-z0-9]{20,}',
  'rubygems_[a-f0-9]{16,}',
  'do[or]_v1_[a-f0-9]{32,}',
  'gl(?:ptt|dt|rt|soat|cbt)-[A-Za-z0-9_-]{16,}',
  'ATATT3[A-Za-z0-9_=-]{16,}',
  '\\b1//0[A-Za-z0-9_-]{16,}',
  'figd_[A-Za-z0-9_-]{12,}',
  'sntry[su]_[A-Za-z0-9+/=_-]{8,}',
  '\\bkey-[a-f0-9]{32}',
  'discord(?:app)?\\.com/api/webhooks/[A-Za-z0-9/_-]+',
  'api\\.telegram\\.org/bot[A-Za-z0-9:_-]+',
  'AGE-SECRET-KEY-1[A-Z0-9]{20,}',
  '\\$2[abxy]?\\$\\d\\d\\$[./A-Za-z0-9]{20,}',
  '\\$argon2(?:id?|d)\\$[A-Za-z0-9$,=+/.-]+',
  '---- BEGIN [A-Z0-9 ]{1,60} ----[\\s\\S]*?(?:---- END [A-Z0-9 ]{1,60} ----|$)',
  'Private-Lines: [\\s\\S]*?(?:Private-MAC|$)',
  '[Dd]igest\\s+username=[^\\r\\n]*',
  'Hawk\\s+id=[^\\r\\n]*',
  '(?:NTLM|Negotiate)\\s+[A-Za-z0-9+/=]{16,}',
]
const TOKENS = new RegExp(TOKEN_PATTERNS.join('|'), 'g')

/**
 * A part of every prefix above: a text without any of them needs no search. The last three characters are looked for
 * first, so they should be rare in what people write.
 */
export const TOKEN_PARTS: readonly string[] = [
  ...'earer EARER asic ASIC --- eyJ AKIA ASIA ABIA ACCA AROA AIDA AGPA ANPA AIza ya29 GOCSPX'.split(' '),
  ...'ghp_ gho_ ghu_ ghs_ ghr_ _pat_ glp gldt glrt gls glc npm_ ypi hf_ _v1_ xox xap s.sl'.split(' '),
  ...'k_live_ k_test_ whsec_ sk- SG. shp hvs. hvb. hvr. lin_api ntn_ sq0 xke r8_ gsk rubyge'.split(' '),
  ...'ATATT3 1//0 figd_ snt bhooks/ m.o AGE-SEC $2a $2b $2x $2y $2$ $ar te-Li ige Hawk NTL Neg'.split(' '),
  ...Array.from('0123456789abcdef', digit => `SK${digit}`),
  ...Array.from('0123456789abcdef', digit => `y-${digit}`),
]

export function markTokens(text: string, spans: Spans): void {
  TOKENS.lastIndex = 0
  for (let match = execRegExp(TOKENS, text); match !== null; match = execRegExp(TOKENS, text)) {
    spans.add(match.index, TOKENS.lastIndex)
  }
}
