import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { openStore } from '../../dist/index.js'
import { hasBrowser, type Look, PageScene, screenshot, shown, violations, whyNoBrowser } from './scene.js'

const PHONE = 375
const LOOKS: readonly (Look & { readonly name: string })[] = [
  { name: 'light', colours: 'light' },
  { name: 'dark', colours: 'dark' },
  { name: 'phone', width: PHONE, colours: 'light' },
]

describe(`the dashboard, for everyone${whyNoBrowser}`, { skip: !hasBrowser, timeout: 300_000 }, () => {
  let scene: PageScene
  let views: Readonly<Record<string, string>>
  /** Errors of a customer whose name is HTML. */
  let hostile: { readonly call: string; readonly group: string; readonly trace: string }

  beforeAll(async () => {
    scene = await PageScene.open(100)
    const store = openStore(scene.store)
    const error = store.errors({ function: 'Stock.reserve', error: 'RangeError', limit: 1 })[0]!
    store.close()
    hostile = { call: error.call_id, group: error.fingerprint, trace: error.trace_id }
    views = {
      overview: '/?range=all',
      function: '/function?range=all&name=Orders.place',
      errors: '/errors?range=all',
      'error-group': `/errors/${hostile.group}?range=all`,
      error: `/error/${hostile.call}`,
      'trace-waterfall': `/trace/${hostile.trace}`,
      'trace-flame': `/trace/${hostile.trace}?view=flame`,
      calls: '/calls?range=all',
      tail: '/tail',
      recorder: '/recorder?range=all',
    }
  }, 240_000)
  afterEach(async () => {
    await scene.closePages()
    expect(scene.troubles.splice(0)).toEqual([])
  })
  afterAll(() => scene?.close())

  it.each(LOOKS)('has no barrier that axe knows: $name', async ({ name, ...look }) => {
    const page = await scene.page('/', look)
    for (const [view, path] of Object.entries(views)) {
      await page.goto(scene.at(path))
      await shown(page)
      expect({ view, found: await violations(page) }).toEqual({ view, found: [] })
      await screenshot(page, `${view}-${name}`)
      if (look.width === PHONE) {
        const wide = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth')
        expect({ view, tooWide: Math.max(0, wide) }).toEqual({ view, tooWide: 0 })
      }
    }
  })

  it('shows HTML that was captured as text, wherever it stands', async () => {
    const page = await scene.page(views['errors'])
    const markup = '<img src=x onerror="window.__pwned=1;alert(1)">'
    const seen = async (place: Page) => {
      await place.getByText(markup).first().waitFor()
      expect(await place.evaluate('document.querySelectorAll("img").length')).toBe(0)
      expect(await place.evaluate('typeof window.__pwned')).toBe('undefined')
    }
    for (const view of ['errors', 'error-group', 'error', 'trace-waterfall']) {
      await page.goto(scene.at(views[view]!))
      await shown(page)
      await seen(page)
    }
    // In an address, too; that no such function exists is an error of the request.
    await page.goto(scene.at(`/?range=all&function=${encodeURIComponent(markup)}`))
    await seen(page)
    const stranger = await scene.blankPage({}, true)
    await stranger.goto(scene.url)
    await stranger.goto(scene.at(`/function?range=all&name=${encodeURIComponent(markup)}`))
    await seen(stranger)
  })

  it('can be used by keyboard alone', async () => {
    const page = await scene.page('/errors?range=all')
    await page.keyboard.press('Tab')
    const focused = () => page.evaluate<string>('document.activeElement.textContent.trim()')
    expect(await focused()).toBe('Skip to the content')
    await page.keyboard.press('Enter')
    expect(await page.evaluate('document.activeElement.id')).toBe('content')
    // Every stop can be left again, and the last one leads out of the page.
    const stops: string[] = []
    for (let i = 0; i < 80; i++) {
      await page.keyboard.press('Tab')
      const stop = await page.evaluate<string>(
        'document.activeElement === document.body ? "" : document.activeElement.tagName + document.activeElement.textContent',
      )
      if (stop === '') break
      stops.push(stop)
    }
    expect(stops.length).toBeGreaterThan(10)
    expect(stops.length).toBeLessThan(80)
    const link = page.getByRole('link', { name: 'RangeError' }).first()
    await link.focus()
    await page.keyboard.press('Enter')
    await page.waitForURL(/\/errors\/[0-9a-f]{16}/)
    // The focus is where the new content begins.
    await expect.poll(() => page.evaluate('document.activeElement.tagName')).toBe('H1')
  })

  it('changes its colours on request, and remembers', async () => {
    const page = await scene.page('/')
    const background = () => page.evaluate<string>('getComputedStyle(document.body).backgroundColor')
    const light = await background()
    await page.getByRole('button', { name: 'Dark colours' }).click()
    await page.getByRole('button', { name: 'Light colours' }).waitFor()
    const dark = await background()
    expect(dark).not.toBe(light)
    await page.reload()
    await shown(page)
    expect(await background()).toBe(dark)
  })

  it('tells the figures of a chart as a table', async () => {
    const page = await scene.page('/?range=all')
    await page.getByText('Values').first().click()
    const table = page.getByRole('group', { name: 'Calls, values' }).getByRole('table')
    const counts = await table.locator('tbody td:nth-child(2)').allInnerTexts()
    const store = openStore(scene.store)
    const calls = store.top().reduce((sum, row) => sum + row.calls, 0)
    store.close()
    expect(counts.reduce((sum, text) => sum + Number(text.replace(',', '')), 0)).toBe(calls)
  })

  it('goes on where an answer makes no sense, and asks a busy server again', async () => {
    const page = await scene.blankPage({}, true)
    await page.route(/\/api\/errors/, route => route.fulfill({ json: { groups: [{ message: null }] } }))
    let refusals = 0
    await page.route(/\/api\/calls/, route => {
      if (refusals++ > 0) return route.continue()
      const error = { code: 'BUSY', message: 'Too many questions at once. Ask again.' }
      return route.fulfill({ status: 503, json: { error } })
    })
    await page.goto(scene.url)
    await page.goto(scene.at('/errors?range=all'))
    await page.getByText('This view cannot be drawn').waitFor()
    await page.getByRole('link', { name: 'Calls', exact: true }).click()
    await page.getByText('Too many questions at once. Ask again.').waitFor()
    await page.getByRole('table', { name: 'Recorded calls' }).waitFor()
  })
})
