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
  ].join('|'),
  'g',
)

/** Three characters of every prefix above: a text without any of them needs no search. */
export const TOKEN_TRIGRAMS =
  'ear EAR asi ASI --- eyJ AKI ABI ACC ARO AID AGP ANP AIz ya2 GOC ghp gho ghu ghs ghr _pa glp npm ypi hf_ dop xox xap s.s sk_ rk_ hse sk- SG. SK0 SK1 SK2 SK3 SK4 SK5 SK6 SK7 SK8 SK9 SKa SKb SKc SKd SKe SKf ' +
  'shp hvs hvb hvr kr_ n_a ntn sq0 xke r8_ gsk rub doo dor gld glr gls glc ATA 1// igd ntr y-0 y-1 y-2 y-3 y-4 y-5 y-6 y-7 y-8 y-9 y-a y-b y-c y-d y-e y-f bho m.o AGE $2a $2b $2x $2y $ar te- -Li ige Haw NTL Neg'

export function markTokens(text: string, spans: Spans): void {
  TOKENS.lastIndex = 0
  for (let match = execRegExp(TOKENS, text); match !== null; match = execRegExp(TOKENS, text)) {
    spans.add(match.index, TOKENS.lastIndex)
  }
}
