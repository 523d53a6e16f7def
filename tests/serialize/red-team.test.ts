import { describe, expect, it } from 'vitest'
import { captureArguments, captureError, captureValue, newSite } from './harness.js'

const S = 'Zq7hunterZq7'
const LONG = 'Zq7hunterZq7Zq7hunterZq7Zq7hunterZq7'

/** Everything written for one argument, and for one that is thrown: no part of the secret may be in it. */
const leaks = (value: unknown): string[] =>
  [captureArguments([value]), captureError(value), captureError(new Error('x', { cause: value }))]
    .filter(({ memory }) => memory.includes('hunter'))
    .map(({ text }) => text)

describe('secrets as they stand in the texts of real programs', () => {
  const wide = (name: string): string =>
    name.replace(/[a-z]/g, letter => String.fromCharCode(letter.charCodeAt(0) + 0xfee0))
  const texts: Record<string, string> = {
    'storage address signed by a cloud': `https://s/k?X-Goog-Signature=${S}&X-Goog-Credential=${S}`,
    'address signed by another': `https://s/k?X-Amz-Signature=${S}&X-Amz-Security-Token=${S}&sig=${S}`,
    'instrumentation key': `InstrumentationKey=${S};IngestionEndpoint=https://x`,
    'login of a database driver': `jdbc:oracle:thin:u/${S}@h:1521/x`,
    'data source name of a driver': `root:${S}@tcp(127.0.0.1:3306)/db`,
    'key of a terminal': `---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n${S}\n---- END SSH2 ENCRYPTED PRIVATE KEY ----`,
    'key of another terminal': `PuTTY-User-Key-File-2: ssh-rsa\nPrivate-Lines: 14\n${S}`,
    'password hash': `u:$2y$10$${LONG}`,
    'environment file with spaces': `DB_HOST=x\nexport SECRET=a b ${S}\nB_TOKEN=a#b ${S}\nOTHER=1`,
    'block in YAML': `a: 1\npassword: |\n  x\n  ${S}\nb: 2`,
    'folded block in YAML': `password: >-\n  ${S}`,
    'list in YAML': `secrets:\n- ${S}\n- ${S}\nb: 2`,
    'environment of a container': `env:\n  - name: DB_PASSWORD\n    value: ${S}`,
    'three quotes': `password = """${S}"""`,
    'quotes doubled in a table': `1,"{""password"":""${S}""}"`,
    element: `<login><password>${S}</password></login>`,
    'element with a prefix and attributes': `<w:Password Type="x#T">${S}</w:Password>`,
    'element with raw text': `<password><![CDATA[${S}]]></password>`,
    'attributes of a pair': `<add key="ApiKey" value="${S}" />`,
    'attributes of an input': `<input type="password" name="p" value="${S}">`,
    'pair in JSON': JSON.stringify({ list: [{ name: 'password', value: S }] }),
    'pair in JSON the other way round': JSON.stringify([{ value: S, name: 'Authorization' }], null, 2),
    'pair in JSON in JSON': JSON.stringify(JSON.stringify([{ key: 'token', value: S }])),
    'list of a pair in JSON': JSON.stringify([['password', S]]),
    'arguments in JSON': JSON.stringify(['run', '--password', S]),
    'form part': `--b\r\nContent-Disposition: form-data; name="password"\r\n\r\n${S}\r\n--b--`,
    'encoded JSON': `data=${encodeURIComponent(JSON.stringify({ a: 1, token: S, pin: S }))}`,
    'encoded address': `https://x/?to=${encodeURIComponent(`https://y/?token=${S}&a=1`)}`,
    'encoded user info': `https://x/?u=${encodeURIComponent(`postgres://u:${S}@h/d`)}`,
    'encoded name beyond ASCII': `https://x/?${encodeURIComponent('密码')}=${S}`,
    'code of a sign-in': `https://app/cb?code=${LONG}&state=1`,
    'command line': `Command failed: tool --password ${S} --user x`,
    'command line with quotes': `tool --api-key "${S} ${S}" --user x`,
    'command with a short flag': `mysql -u root -p${S} db`,
    'command for another': `sshpass -p '${S}' ssh h`,
    'command with user and password': `curl -u user:${S} https://x`,
    'validator that quotes': `"password" with value "${S}" fails to match`,
    'validator that quotes another name': `"apiToken" with value "${S}" fails`,
    'duplicate key': `Key (email, token)=(a, ${S}) already exists.`,
    'duplicate entry': `Duplicate entry '${S}' for key 'users.token'`,
    'statement that sets a password': `ALTER ROLE a WITH PASSWORD '${S}'`,
    'statement that makes a user': `CREATE USER a IDENTIFIED BY '${S}'`,
    'quoted in a sentence': `the password is: "${S}", sorry`,
    'digest header': `Digest username="u", nonce="${S}", response="${S}"`,
    'message authentication header': `Hawk id="a", mac="${S}"`,
    'signed header': `OAuth oauth_consumer_key="x", oauth_signature="${S}"`,
    'full-width name': `${wide('password')}=${S}`,
    'full-width separator': `password：${S}`,
    'full-width equals': `password＝${S}`,
    'invisible character in a name': `pass\u200bword=${S}`,
    'space without break': `password\u00a0=\u00a0${S}`,
    'name in another script': `пароль: ${S}`,
    'name of two characters': `密码：${S}`,
  }
  for (const odd of ['p@', 'a:b', 'a/b', 'a#', 'a?', "a'", 'a b', 'a"', '[x]', '{x', '%40'])
    texts[`address with ${odd} in the password`] =
      `see smtps://u@x.com:${odd}${S}@h and postgres://u:${odd}${S}@h:5432/d`
  it.each(Object.entries(texts))('%s', (_, text) => {
    expect(leaks(text)).toEqual([])
    expect(leaks({ note: text })).toEqual([])
    expect(leaks(new Error(text))).toEqual([])
  })

  it.each([
    `shpat_${'0a'.repeat(16)}`,
    `hvs.${'aB'.repeat(16)}`,
    `dckr_pat_${'aB'.repeat(12)}`,
    `lin_api_${'aB'.repeat(16)}`,
    `ntn_${'a1'.repeat(12)}`,
    `sq0atp-${'aB'.repeat(11)}`,
    `xkeysib-${'0a'.repeat(16)}-abc`,
    `r8_${'aB'.repeat(18)}`,
    `gsk_${'aB'.repeat(16)}`,
    `rubygems_${'0a'.repeat(16)}`,
    `doo_v1_${'0a'.repeat(32)}`,
    `glptt-${'aB'.repeat(10)}`,
    `ATATT3${'aB'.repeat(20)}`,
    `1//0${'aB'.repeat(20)}`,
    `figd_${'aB'.repeat(20)}`,
    `sntrys_${'aB'.repeat(20)}`,
    `key-${'0a'.repeat(16)}`,
    `https://discord.com/api/webhooks/1/${'aB'.repeat(20)}`,
    `https://api.telegram.org/bot1234:${'aB'.repeat(17)}/send`,
    `AGE-SECRET-KEY-1${'AB'.repeat(29)}`,
    `$argon2id$v=19$m=65536,t=3,p=4$${'aB'.repeat(20)}`,
    `NTLM ${'aB'.repeat(20)}==`,
  ])('the token %s', token => {
    expect(captureValue(`x ${token} y`).value).toMatch(/^x [^A]*\[redacted\][^B]* y$/)
    expect(captureValue(token).text).toContain('[redacted]')
  })
})

describe('secrets as they stand in the values of real programs', () => {
  const issue = (name: unknown) => Object.assign(new Error('invalid'), { issues: [name] })
  const values: Record<string, unknown> = {
    'short names of an environment': { MAIL_PASS: S, DB_PWD: S, SMTP_PASS: S, STRIPE_KEY: S },
    'validator with a path': issue({ path: ['user', 'password'], received: S, input: S }),
    'validator with a pointer': issue({ instancePath: '/user/password', data: S }),
    'validator with a property': issue({ property: 'password', value: S, target: { password: S } }),
    'request validator': { errors: [{ type: 'field', path: 'user.password', value: S }] },
    'older request validator': { param: 'password', value: S, msg: 'x' },
    'command of a data store': Object.assign(new Error('WRONGPASS'), {
      command: { name: 'AUTH', args: [S] },
    }),
    'full-width key': { ｐａｓｓｗｏｒｄ: S },
    'invisible characters in a key': { 'pass\u200bword': S, 'to\u00adken': S, '\ufeffpin': S },
    'long s in a key': { 'pa\u017f\u017fword': S },
    'names of other languages': {
      contraseña: S,
      kennwort: S,
      mot_de_passe: S,
      senha: S,
      пароль: S,
      密码: S,
      비밀번호: S,
    },
    'pairs with such names': [['パスワード', S], new Map([['Hasło', S]])],
  }
  it.each(Object.entries(values))('%s', (_, value) => expect(leaks(value)).toEqual([]))
})

describe('what looks like one and is none stays', () => {
  it.each([
    'Promise<Token> is not assignable to Map<string, Secret>',
    'usage: login <token> --user x',
    'tool --verbose out.txt -p 8080',
    'docker run -p 8080:80 image',
    'Unexpected token < in JSON at position 0',
    `Unexpected token 'o', "foo" is not valid JSON`,
    'SELECT "id", "password", "email" FROM users WHERE age = 1',
    'tool --token --verbose out.txt',
    'token:\n    at parse (/app/token.ts:12:34)',
    'Invalid token:\n    at parse (/app/token.ts:12:34)\n    at next (/app/a.ts:1:2)',
    'INSERT INTO "user"("id", "password", "email") VALUES ($1, $2, $3)',
    `Duplicate entry 'ann@x.org' for key 'users.email'`,
    'Key (email)=(ann@x.org) already exists.',
    '"age" with value "x" must be a number',
    'https://shop/?code=SUMMER24&page=2',
    'error code: 42, name: x, value: 7',
    JSON.stringify([
      { name: 'color', value: 'red' },
      { name: 'size', value: 5 },
    ]),
    '100% of 50%25 at 3%3D4',
    'a list: [1, 2], {b: "c"}',
    '価格：１２００円（税込）',
    '<user><name>Ann</name></user>',
    'see http://localhost:3000/a and http://[::1]:80 by ann@x.org',
  ])('%s', text => {
    const { value, cuts } = captureValue(text)
    expect(value).toBe(text)
    expect(cuts).toBe(null)
  })

  it('keys and pairs', () => {
    const value = {
      cwd: '/a',
      compass: 1,
      bypass: 2,
      name: 'x',
      value: 3,
      path: ['a', 'b'],
      data: 4,
      名前: 'x',
    }
    expect(captureValue(value).value).toEqual(value)
  })
})

describe('the memory of names', () => {
  it('is right again and again, for names with digits as well, which it does not keep', () => {
    const site = newSite()
    for (let again = 0; again < 3; again++) {
      expect(captureArguments(['cvv2', S], { site }).json).toEqual(['cvv2', '[redacted]'])
      expect(captureArguments(['order2', S], { site }).json).toEqual(['order2', S])
      expect(captureArguments(['token', S], { site }).json).toEqual(['token', '[redacted]'])
    }
  })
})
