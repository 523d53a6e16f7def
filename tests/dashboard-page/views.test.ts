import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { openStore } from '../../dist/index.js'
import { hasBrowser, PageScene, screenshot, shown, whyNoBrowser } from './scene.js'

const PAGE = fileURLToPath(new URL('../../dist/dashboard/page', import.meta.url))
/** Of everything a visit loads, as it would be sent compressed. */
const SCRIPT_BYTES = 60 * 1024
const STYLE_BYTES = 10 * 1024

const LONG = { timeout: 60_000 }

const rows = (page: Page, caption: string) => page.getByRole('table', { name: caption }).locator('tbody tr')
/** The numbers that stand in one column. */
async function column(page: Page, caption: string, index: number): Promise<string[]> {
  return rows(page, caption).locator(`td:nth-child(${index})`).allInnerTexts()
}

describe(`the views of the dashboard${whyNoBrowser}`, { skip: !hasBrowser, timeout: 240_000 }, () => {
  let scene: PageScene

  beforeAll(async () => {
    scene = await PageScene.open(100)
    await scene.stall()
  }, 240_000)
  afterEach(async () => {
    await scene.closePages()
    expect(scene.troubles.splice(0)).toEqual([])
  })
  afterAll(() => scene?.close())

  it('shows every function with its exact counts', async () => {
    const page = await scene.page('/?range=all')
    const store = openStore(scene.store)
    const top = store.top()
    store.close()
    expect(await column(page, 'Functions', 1)).toEqual(top.map(row => row.function))
    expect(await column(page, 'Functions', 2)).toEqual(top.map(row => row.calls.toLocaleString('en-US')))
    const errors = await column(page, 'Functions', 4)
    expect(errors.map(text => Number.parseInt(text, 10))).toEqual(top.map(row => row.errors))
    const chart = page.getByRole('img', { name: /^Calls: calls between/ })
    expect(await chart.locator('canvas').count()).toBe(1)
    await page.getByText('Complete: totals count every call, recorded or not').waitFor()
    const stalls = page.getByRole('region', { name: 'Incidents and stalls' }).getByRole('listitem')
    await stalls.filter({ hasText: 'event loop stalled' }).getByRole('link', { name: 'spin' }).waitFor()
    await screenshot(page, 'overview')
  })

  it('sorts and filters functions, and keeps both in the address', async () => {
    const page = await scene.page('/?range=all')
    const calls = async () => (await column(page, 'Functions', 2)).map(text => Number(text.replace(',', '')))
    await page.getByRole('button', { name: 'Calls' }).click()
    await page.waitForURL(/sort=calls/)
    const upwards = (await calls()).toSorted((a, b) => a - b)
    await expect.poll(calls, LONG).toEqual(upwards.toReversed())
    await page.getByRole('button', { name: 'Calls' }).click()
    await page.waitForURL(/order=up/)
    await expect.poll(calls, LONG).toEqual(upwards)
    await page.keyboard.press('/')
    await page.keyboard.type('Payments')
    await page.waitForURL(/function=Payments/)
    await rows(page, 'Functions').filter({ hasText: 'Orders.place' }).waitFor({ state: 'detached' })
    const names = ['Payments.authorize', 'Payments.charge']
    expect((await column(page, 'Functions', 1)).toSorted()).toEqual(names)
    // Whoever gets the address sees the same.
    const other = await scene.page(new URL(page.url()).pathname + new URL(page.url()).search)
    expect(await column(other, 'Functions', 1)).toEqual(await column(page, 'Functions', 1))
    await other
      .getByRole('columnheader', { name: 'Calls' })
      .and(other.locator('[aria-sort=ascending]'))
      .waitFor()
  })

  it('goes from a function to its latency, its failures and one of its calls', async () => {
    const page = await scene.page('/?range=all')
    await page.getByRole('link', { name: 'Payments.charge' }).click()
    await page.waitForURL(/\/function\?.*name=Payments.charge/)
    await shown(page)
    const heatmap = page.getByRole('application', { name: /^Latency over time: 97 calls/ })
    await heatmap.focus()
    await page.keyboard.press('ArrowUp')
    await page.getByText(/calls? of \d+ calls?/).waitFor()
    const mix = page.getByRole('region', { name: 'How calls ended' })
    await mix.getByText('PaymentError').waitFor()
    expect(await mix.getByRole('listitem').allInnerTexts()).toHaveLength(2)
    expect(await rows(page, 'Failed calls').count()).toBe(4)
    const why = page.getByRole('region', { name: 'Why failing' })
    await why.getByText(/^97 recorded calls, 4 failed/).waitFor()
    await screenshot(page, 'function')
    await rows(page, 'Slowest calls').first().getByRole('link', { name: /^ok/ }).click()
    await page.waitForURL(/\/trace\//)
    await page.getByRole('tree').waitFor()
    await page.goBack()
    await page.getByRole('heading', { level: 1, name: 'Payments.charge' }).waitFor()
  })

  it('goes from groups of errors to one error, its cause, arguments, trace and what was before', async () => {
    const page = await scene.page('/errors?range=all')
    const groups = rows(page, 'Groups of errors')
    expect(await groups.count()).toBe(5)
    await groups.filter({ hasText: 'Payments.charge' }).getByRole('link', { name: 'PaymentError' }).click()
    await page.waitForURL(/\/errors\/[0-9a-f]{16}/)
    await shown(page)
    expect(await rows(page, 'Occurrences').count()).toBe(4)
    await rows(page, 'Occurrences').first().getByRole('link', { name: 'PaymentError' }).click()
    await page.waitForURL(/\/error\/[0-9a-f]{16}/)
    await shown(page)
    await page
      .getByRole('group', { name: 'Stack' })
      .getByText(/at (async )?Payments\.charge/)
      .first()
      .waitFor()
    await page
      .getByText(/connection to bank lost after \d+ ms/)
      .first()
      .waitFor()
    await page.getByText('E_DECLINED').waitFor()
    await page.getByText('[redacted]', { exact: true }).waitFor()
    await page.getByText('a secret, replaced before it was recorded').waitFor()
    const items = page.getByRole('button', { name: /^items/ })
    expect(await items.getAttribute('aria-expanded')).toBe('false')
    await items.click()
    await page.getByRole('button', { name: /^0/ }).last().click()
    await page.getByText('"sku-0"', { exact: true }).waitFor()
    const tree = page.getByRole('tree')
    await tree.getByRole('treeitem', { name: /^Orders\.place/, selected: false }).waitFor()
    await tree
      .getByRole('treeitem', { name: /^Payments\.charge.*failed: PaymentError/, selected: true })
      .waitFor()
    expect(await rows(page, 'Calls before it').count()).toBeGreaterThan(0)
    await screenshot(page, 'error')
  })

  it('draws a trace as waterfall and as flames, by keyboard too', async () => {
    const store = openStore(scene.store)
    const failed = store.errors({ function: 'Orders.place', limit: 1 })[0]!
    const calls = store.trace(failed.trace_id)
    store.close()
    const ofCall = await scene.page(`/trace/${failed.call_id}`)
    await ofCall.getByRole('heading', { level: 1, name: `Trace of call ${failed.call_id}` }).waitFor()
    const page = await scene.page(`/trace/${failed.trace_id}`)
    const tree = page.getByRole('tree')
    const items = tree.getByRole('treeitem')
    expect(await items.count()).toBe(calls.length)
    await tree.focus()
    await page.keyboard.press('End')
    const selected = tree.getByRole('treeitem', { selected: true })
    const last = await items.last().getAttribute('id')
    await expect.poll(() => selected.getAttribute('id'), LONG).toBe(last)
    await page.waitForURL(/call=[0-9a-f]{16}/)
    await page.keyboard.press('Home')
    await page.keyboard.press('ArrowLeft')
    await tree.getByRole('treeitem', { name: /^Orders\.place/, expanded: false }).waitFor()
    expect(await items.count()).toBe(1)
    await page.keyboard.press('ArrowRight')
    await tree.getByRole('treeitem', { expanded: true }).first().waitFor()
    await screenshot(page, 'trace-waterfall')
    await page.getByRole('link', { name: 'Flame' }).click()
    await page.waitForURL(/view=flame/)
    const flame = page.getByRole('application', {
      name: `Flame view of ${calls.length} calls. Orders.place`,
      exact: false,
    })
    await flame.focus()
    await page.keyboard.press('ArrowDown')
    await page.getByRole('region', { name: 'Selected call' }).getByText('Stock.look').waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Show the whole trace' }).click()
    await screenshot(page, 'trace-flame')
  })

  it('lists calls by outcome and duration', async () => {
    const page = await scene.page('/calls?range=all')
    expect(await rows(page, 'Recorded calls').count()).toBe(100)
    await page.getByLabel('Ended').selectOption('error')
    await page.waitForURL(/outcome=error/)
    // Four declined orders, each in three functions; three with no such item, in two.
    await expect.poll(() => rows(page, 'Recorded calls').count(), LONG).toBe(18)
    await page.getByLabel('Ended').selectOption('')
    await page.getByLabel('At least').fill('40ms')
    await page.waitForURL(/min_duration=40ms/)
    await rows(page, 'Recorded calls')
      .filter({ hasText: 'Stock.look' })
      .first()
      .waitFor({ state: 'detached' })
    const durations = await column(page, 'Recorded calls', 4)
    expect(durations.length).toBeGreaterThan(0)
    expect(durations.filter(text => /µs|ns/.test(text))).toEqual([])
    await screenshot(page, 'calls')
  })

  it('shows where every record went', async () => {
    const page = await scene.page('/recorder?range=all')
    const process = page.getByRole('listitem').filter({ hasText: /^shop\.js\[\d+\]/ })
    const text = (await process.innerText()).replaceAll(/\s+/g, ' ')
    const equations = [
      ...text.matchAll(/([\d,]+) produced = ([\d,]+) stored \+ ([\d,]+) dropped .*?\+ ([\d,]+) waiting/g),
    ]
    expect(equations).toHaveLength(2)
    for (const [, ...numbers] of equations) {
      const [produced, stored, dropped, waiting] = numbers.map(number => Number(number.replace(',', '')))
      expect(produced).toBe(stored! + dropped! + waiting!)
      expect(produced).toBeGreaterThan(0)
    }
    expect(text).not.toContain('not accounted for')
    expect(text).toContain('ended')
    expect(text).toMatch(/Breaker closed, never opened/)
    expect(text).toMatch(/Queue 0 B of [\d.]+ MiB, at most (< )?[\d.]+ % of a thread’s/)
    expect(text).toMatch(/CPU of the writer thread [\d.]+ m?s, (< )?[\d.]+ % of one processor/)
    const kept = (await page.getByRole('region', { name: 'What is kept' }).innerText()).replaceAll(
      /\s+/g,
      ' ',
    )
    expect(kept).toMatch(/Retention 6 h 00 min Size limit 1\.00 GiB Oldest call/)
    await screenshot(page, 'recorder')
  })

  it('shows the span of time that is chosen, typed or drawn', async () => {
    const page = await scene.page('/')
    await page.getByRole('link', { name: 'all, the whole recording' }).click()
    await page.waitForURL(/range=all/)
    await shown(page)
    const plot = page.getByRole('img', { name: /^Calls: / }).locator('.u-over')
    const box = (await plot.boundingBox())!
    await page.mouse.move(box.x + box.width * 0.25, box.y + 40)
    await page.mouse.down()
    await page.mouse.move(box.x + box.width * 0.75, box.y + 60, { steps: 8 })
    await page.mouse.up()
    await page.waitForURL(/from=.*&to=/)
    const drawn = new URL(page.url()).searchParams
    expect(drawn.has('range')).toBe(false)
    expect(Date.parse(drawn.get('to')!)).toBeGreaterThan(Date.parse(drawn.get('from')!))
    // A day on which nothing was recorded.
    await page.getByRole('button', { name: '–' }).click()
    await page.getByLabel('From').fill('2020-02-01T10:00:00')
    await page.getByLabel('To', { exact: true }).fill('2020-02-01T11:30:00')
    await page.getByRole('button', { name: 'Show 1.5 h' }).click()
    await page.waitForURL(/from=2020-02-01T10%3A00%3A00.000Z&to=2020-02-01T11%3A30%3A00.000Z/)
    await page.getByText('No calls in this span of time').waitFor()
    await page.getByRole('link', { name: 'Leave this span of time' }).click()
    await rows(page, 'Functions').filter({ hasText: 'Orders.place' }).waitFor()
  })

  it('says so where there is nothing', async () => {
    const page = await scene.page('/?range=all&function=nothing.like.it')
    await page.getByText('No function matches nothing.like.it').waitFor()
    await page.goto(scene.at('/no/such/page'))
    await page.getByRole('heading', { name: 'No such page' }).waitFor()
    await page.getByRole('link', { name: 'To the overview' }).click()
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
  })
})

describe('the files of the page', () => {
  const files = readdirSync(PAGE, { recursive: true, encoding: 'utf8' })
  const zipped = (extension: string): number =>
    files
      .filter(file => file.endsWith(extension))
      .reduce((sum, file) => sum + gzipSync(readFileSync(`${PAGE}/${file}`)).byteLength, 0)

  it('are small', () => {
    expect(zipped('.js')).toBeGreaterThan(1_000)
    expect(zipped('.js')).toBeLessThanOrEqual(SCRIPT_BYTES)
    expect(zipped('.css')).toBeLessThanOrEqual(STYLE_BYTES)
  })

  it('hold no script, style or handler within HTML, and never make HTML of text', () => {
    const html = readFileSync(`${PAGE}/index.html`, 'utf8')
    expect(html).not.toMatch(/<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/)
    const sources = fileURLToPath(new URL('../../lib/dashboard/web', import.meta.url))
    const unsafe = readdirSync(sources, { recursive: true, encoding: 'utf8' })
      .filter(file => /\.tsx?$/.test(file))
      .filter(file =>
        /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b/i.test(
          readFileSync(`${sources}/${file}`, 'utf8'),
        ),
      )
    expect(unsafe).toEqual([])
  })
})
