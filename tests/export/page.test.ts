import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { chromium } from 'playwright-core'
import { describe, expect, it, onTestFinished } from 'vitest'
import { writeBundle } from '../../lib/export/bundle.js'
import { choose } from '../../lib/export/choice.js'
import { type Html, html } from '../../lib/export/html.js'
import { page } from '../../lib/export/page.js'
import { hex16, scratch, T0_MS, type TestStore, traceIdOf } from '../store-read/fixture.js'
import { EVIL, opened } from './opened.js'

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync)
const OPTIONS = {
  version: '1.2.3',
  about: 'All of it.',
  recording: 'calls.db',
  traceIds: [],
  maxBytes: 1_000_000,
}
const NOTHING = { ...OPTIONS, maxBytes: 0 }

function hostile(made: TestStore): void {
  const evil = { fn: EVIL, args: EVIL, result: EVIL, shape: EVIL, cuts: EVIL }
  made.error({
    ...evil,
    atMs: T0_MS,
    call: 1,
    trace: 1,
    error: EVIL,
    message: EVIL,
    stack: EVIL,
    details: EVIL,
  })
  made.call({ ...evil, atMs: T0_MS + 1, call: 2, trace: 1, parent: 1, durationMs: -5 })
  made.call({ ...evil, atMs: T0_MS + 2, call: 77, trace: 1, parent: 77, durationMs: 1e12 })
  made.remote(-5, EVIL, EVIL)
  made.error({ ...evil, atMs: T0_MS + 3, trace: -5, message: EVIL, error: EVIL })
  made.stall({ atMs: T0_MS, seenMs: T0_MS + 9, calls: [[EVIL, 0, 1, 1, EVIL]] })
  made.stall({ atMs: 4e15, seenMs: -4e15, looks: 0, onCpu: 7 })
  made.look(T0_MS, { open: 1 })
  made.open({ atMs: T0_MS, fn: EVIL, args: EVIL, shape: EVIL })
  made.incident(T0_MS, EVIL, EVIL)
  made.totals(T0_MS, EVIL, { calls: 3, kept: 1 })
  made.drop(T0_MS, EVIL, EVIL, 3)
  made.run('UPDATE processes SET script = ?, host = ?', EVIL, EVIL)
}

function shop(made: TestStore): void {
  const root = made.call({
    atMs: T0_MS + 100,
    call: 1,
    trace: 1,
    fn: 'Orders.place',
    durationMs: 100,
    args: '[{"id":7}]',
  })
  made.call({ atMs: T0_MS + 60, trace: root, parent: root, fn: 'Stock.reserve', durationMs: 40 })
  made.error({
    atMs: T0_MS + 90,
    call: 3,
    trace: root,
    parent: root,
    fn: 'Http.post',
    durationMs: 25,
    message: 'no answer',
    stack: 'TypeError: no answer\n    at Http.post (http.ts:1:2)',
    details: '{"cause":{"name":"ECONNRESET"}}',
  })
  made.totals(T0_MS, 'Orders.place', { calls: 300, errors: 3, kept: 1 })
  made.drop(T0_MS, 'Orders.place', 'queue_full', 12)
  made.stall({ atMs: T0_MS, seenMs: T0_MS + 900, endedMs: T0_MS + 950, calls: [['Orders.place', 0, 1, 1]] })
}

describe('the template', () => {
  it('makes text of everything that is not markup already', () => {
    const text =
      html`<p title="${`" onclick='x' \``}">${'<b>&amp;'}${null}${undefined}${7}${['<', html`<br>`]}</p>`.text
    expect(text).toBe('<p title="&quot; onclick=&#39;x&#39; &#96;">&lt;b&gt;&amp;amp;7&lt;<br></p>')
    expect(html`${{ text: '<b>' } as unknown as Html}`.text).not.toContain('<b>')
    expect(html`${EVIL}`.text).not.toMatch(/[\p{Cf}<>"]|[^\n\P{Cc}]/u)
  })
})

describe('the page of a bundle', () => {
  it('tells what happened, from functions to traces, and what is missing', () => {
    const text = page(opened(shop), OPTIONS)
    const order = [
      'Incident report',
      'All of it.',
      'Errors by kind',
      'Newest errors',
      'Functions, every call counted',
      'Slowest recorded calls',
      'Stalls of the event loop',
      'Records that were lost',
      'Programs',
      'Traces',
    ]
    const places = order.map(word => text.indexOf(`>${word}<`))
    expect(
      places.every(at => at >= 0),
      JSON.stringify(places),
    ).toBe(true)
    expect([...places].sort((a, b) => a - b)).toEqual(places)
    for (const word of [
      'no answer',
      'at Http.post (http.ts:1:2)',
      'ECONNRESET',
      '{&quot;id&quot;:7}',
      'queue_full',
      traceIdOf(1),
      hex16(3),
      '299 calls sampled out',
      '300',
    ])
      expect(text).toContain(word)
    expect(text.match(/<rect /g)).toHaveLength(3)
  })

  it('holds no script, no address, and of styles only its own', () => {
    for (const fill of [shop, hostile]) {
      const text = page(opened(fill), OPTIONS)
      const tags = new Set([...text.matchAll(/<\/?([a-z!][a-z0-9]*)/gi)].map(match => match[1]))
      const known =
        'html head meta title style body main h1 h2 h3 p span dl div dt dd section pre table thead tbody tr th td svg rect !doctype'
      expect([...tags].filter(tag => !known.split(' ').includes(tag ?? ''))).toEqual([])
      expect(attributesOf(text).filter(name => !KNOWN_ATTRIBUTES.has(name))).toEqual([])
      const style = /<style>([\s\S]*?)<\/style>/.exec(text)?.[1] ?? ''
      const hash = createHash('sha256').update(style).digest('base64')
      expect(text).toContain(
        `content="default-src &#39;none&#39;; style-src &#39;sha256-${hash}&#39;; base-uri`,
      )
    }
  })

  it('shows captured text as text, whatever it is', () => {
    const text = page(opened(hostile), OPTIONS)
    expect(text).toContain('&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;')
    expect(text).not.toContain('<img')
    expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u)
  })

  it('leaves parts out when there is no room, and says so', () => {
    const text = page(opened(shop), { ...OPTIONS, maxBytes: 6_000 })
    expect(Buffer.byteLength(text)).toBeLessThan(7_000)
    expect(text).toMatch(/\d+ parts of this page left out/)
    expect(page(opened(shop), NOTHING)).toContain('Incident report')
  })
})

describe.skipIf(CHROMIUM === undefined)('the page in a browser (skipped without Chromium)', () => {
  it.each([
    ['of a shop', shop],
    ['of hostile text', hostile],
  ])('%s runs nothing, asks for nothing, and can be read by everybody', async (_, fill) => {
    const store = opened(fill)
    const folder = join(scratch(onTestFinished), 'incident')
    const choice = choose(store, undefined, {})
    await writeBundle(store, folder, { choice, maxBytes: 2e6, content: true, force: false, version: '1.2.3' })
    const browser = await chromium.launch({
      executablePath: CHROMIUM as string,
      args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
    })
    onTestFinished(() => browser.close())
    const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
    for (const colorScheme of ['light', 'dark'] as const) {
      const tab = await browser.newPage({ colorScheme, viewport: { width: 900, height: 900 } })
      const events: string[] = []
      tab.on('dialog', dialog => events.push(`dialog ${dialog.message()}`))
      tab.on('console', message => events.push(`console ${message.text()}`))
      tab.on('pageerror', error => events.push(`error ${error.message}`))
      const requests: string[] = []
      tab.on('request', request => requests.push(request.url()))
      const address = pathToFileURL(join(folder, 'incident.html')).href
      await tab.goto(address, { waitUntil: 'load' })
      expect(requests).toEqual([address])
      expect(events).toEqual([])
      expect(await tab.locator('img, script, iframe, a, link').count()).toBe(0)
      expect(await tab.locator('h1').textContent()).toBe('Incident report')
      const shot = process.env['CALLSIGHT_SCREENSHOTS']
      if (shot)
        await tab.screenshot({ path: join(shot, `incident-${fill.name}-${colorScheme}.png`), fullPage: true })
      const wide = await tab.evaluate(
        'document.documentElement.scrollWidth - document.documentElement.clientWidth',
      )
      expect(wide).toBe(0)
      // The policy of the page refuses scripts: it is looked at from outside.
      const checked = await browser.newPage({ colorScheme, bypassCSP: true })
      await checked.goto(address)
      await checked.evaluate(axe)
      const { violations } = (await checked.evaluate('axe.run()')) as {
        violations: readonly { id: string }[]
      }
      expect(violations.map(({ id }) => id)).toEqual([])
      await checked.close()
      await tab.close()
    }
  })
})

const KNOWN_ATTRIBUTES = new Set(
  'lang charset http-equiv content name class scope role aria-label tabindex x width height'.split(' '),
)

/** Names of all attributes, read as a browser does. */
function attributesOf(text: string): string[] {
  return [...text.matchAll(/<[a-z][^>]*>/gi)].flatMap(([tag]) =>
    [...tag.matchAll(/\s([^\s"=<>]+)="[^"]*"/g)].map(match => match[1] ?? ''),
  )
}
