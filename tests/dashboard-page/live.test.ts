import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Victim } from '../faults/harness.js'
import { hasBrowser, PageScene, shown, whyNoBrowser } from './scene.js'

const LONG = { timeout: 60_000 }
const MINUTE_MS = 60_000

describe(`the dashboard of a program that runs${whyNoBrowser}`, {
  skip: !hasBrowser,
  timeout: 240_000,
}, () => {
  let scene: PageScene
  let isTroubleExpected = false
  const programs: Victim[] = []

  beforeAll(async () => {
    scene = await PageScene.open(20)
  }, 240_000)
  afterEach(async () => {
    for (const program of programs.splice(0)) {
      program.child.kill('SIGTERM')
      await program.ended
    }
    await scene.closePages()
    const troubles = scene.troubles.splice(0)
    if (!isTroubleExpected) expect(troubles).toEqual([])
    isTroubleExpected = false
  })
  afterAll(() => scene?.close())

  /** A program that places an order every few milliseconds until the test is over. */
  const start = async (): Promise<Victim> => {
    const program = scene.shop(10, 50)
    programs.push(program)
    await program.says('open')
    return program
  }
  const calls = async (page: Page): Promise<number> => {
    const figure = page
      .locator('dl.figures > div')
      .filter({ hasText: /^Calls/ })
      .locator('dd')
    return Number.parseInt((await figure.innerText()).replaceAll(',', ''), 10)
  }

  it('counts on while the page is open', async () => {
    const program = await start()
    const page = await scene.page('/')
    await page.getByRole('button', { name: 'Live', pressed: true }).waitFor()
    const before = await calls(page)
    await expect.poll(() => calls(page), LONG).toBeGreaterThan(before)
    // It ends: what is shown stays, and nothing is live any more.
    program.child.kill('SIGTERM')
    await program.ended
    await page.getByText('no program writes into it').waitFor()
    await page.getByRole('button', { name: 'Live' }).waitFor({ state: 'detached' })
    await page.getByRole('link', { name: 'Orders.place' }).waitFor()
  })

  it('stands still when it is paused, and where nobody sees it', async () => {
    await start()
    const page = await scene.blankPage()
    await page.clock.install()
    await page.goto(scene.url)
    await shown(page)
    let asked = 0
    page.on('request', request => {
      if (new URL(request.url()).pathname === '/api/overview') asked++
    })
    const answered = () => page.waitForResponse(/\/api\/overview/)
    await Promise.all([answered(), page.clock.runFor(10_000)])
    await page.getByRole('button', { name: 'Live', pressed: true }).click()
    await page.waitForURL(/paused=1/)
    await page.getByRole('button', { name: 'Live', pressed: false }).waitFor()
    const atPause = asked
    await page.clock.runFor(MINUTE_MS)
    expect(asked).toBe(atPause)
    await Promise.all([answered(), page.getByRole('button', { name: 'Live' }).click()])
    await page.evaluate(HIDE)
    const atHiding = asked
    await page.clock.runFor(MINUTE_MS)
    expect(asked).toBe(atHiding)
    await Promise.all([answered(), page.evaluate(SHOW)])
  })

  it('lists calls as they end, those that are wanted', async () => {
    await start()
    const page = await scene.page('/tail')
    const table = page.getByRole('table', { name: 'Newest calls' })
    const first = await table.locator('tbody tr').first().innerText()
    await expect.poll(() => table.locator('tbody tr').first().innerText(), LONG).not.toBe(first)
    await page.getByLabel('Filter by function').fill('Stock.reserve')
    await table.locator('tbody tr').filter({ hasText: 'Orders.place' }).first().waitFor({ state: 'detached' })
    await table.locator('tbody tr').filter({ hasText: 'Stock.reserve' }).first().waitFor()
    await page.getByRole('button', { name: 'Pause' }).click()
    await page.getByRole('button', { name: 'Go on' }).waitFor()
  })

  it('says when the dashboard has ended, and keeps what it showed', async () => {
    const page = await scene.page('/?range=all')
    isTroubleExpected = true
    scene.dashboard.child.kill('SIGTERM')
    await scene.dashboard.ended
    await page.getByRole('alert').getByText('does not answer any more').waitFor()
    await page.getByRole('link', { name: 'Orders.place' }).waitFor()
    // Started again it has another token.
    await scene.startDashboard()
  })

  it('opens with its token only', async () => {
    const stranger = await scene.blankPage({}, true)
    const { origin } = new URL(scene.url)
    const answer = await stranger.goto(`${origin}/?range=all`)
    expect(answer?.status()).toBe(401)
    await stranger.getByText('Open the whole address that was printed').waitFor()
    expect((await stranger.goto(`${origin}/?token=${'x'.repeat(43)}`))?.status()).toBe(401)
    // The token does not stay in the address, where it would be shared with it.
    const page = await scene.page('/?range=all')
    expect(page.url()).not.toContain('token')
    isTroubleExpected = true
    await page.context().clearCookies()
    await page.getByRole('alert').getByText('Open the address it printed').waitFor()
    await page.getByRole('link', { name: 'Orders.place' }).waitFor()
  })
})

const HIDE =
  'Object.defineProperty(document, "hidden", { configurable: true, get: () => true });' +
  'document.dispatchEvent(new Event("visibilitychange"))'
const SHOW = 'delete document.hidden; document.dispatchEvent(new Event("visibilitychange"))'
