import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { AxeResults, RunOptions } from 'axe-core'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { expect } from 'vitest'
import { Scene, type Victim } from '../faults/harness.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const SHOP = join(ROOT, 'tests/.build/standard/shop.js')
const STALLS = join(ROOT, 'tests/.build/standard/stalls.js')
const CLI = join(ROOT, 'dist/cli/main.js')
/** Where a person can look at them. */
const SCREENSHOTS = join(ROOT, 'tests/.screenshots')
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
/** On a machine that does six other things. */
const PATIENCE_MS = 60_000

const executable = found('chromium')
export const hasBrowser = executable !== null
/** Stands in the names of the tests that need it. */
export const whyNoBrowser = hasBrowser ? '' : ' (skipped: no chromium; apt-get install chromium)'

function found(program: string): string | null {
  try {
    return execFileSync('which', [program], { encoding: 'utf8' }).trim()
  } catch {
    return null
  }
}

export interface Look {
  readonly width?: number
  readonly colours?: 'light' | 'dark'
}

/** A recording of a real program, the dashboard that shows it, and a browser. */
export class PageScene extends Scene {
  browser!: Browser
  dashboard!: Victim
  /** With the token. */
  url = ''
  /** What no page may cause: errors on its console, breaches of its policy, dialogs, requests to elsewhere. */
  readonly troubles: string[] = []
  readonly #contexts: BrowserContext[] = []

  static async open(orders: number): Promise<PageScene> {
    const scene = new PageScene()
    const ended = await scene.shop(orders).ended
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    await scene.startDashboard()
    scene.browser = await chromium.launch({
      executablePath: executable ?? '',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    })
    return scene
  }

  /** The program that is recorded; with a time between orders it goes on. */
  shop(orders: number, everyMs = 0, items = 0): Victim {
    return this.spawn(SHOP, [String(orders), String(everyMs), String(items)])
  }

  /** A program whose event loop stands still for a while. */
  async stall(): Promise<void> {
    expect(await this.spawn(STALLS, ['spin']).ended).toMatchObject({ code: 0 })
  }

  async startDashboard(): Promise<void> {
    this.dashboard = this.spawn(CLI, ['ui', '--no-open', '--port', '0', '--db', this.store])
    await this.dashboard.says('token=')
    await this.dashboard.says('\n')
    this.url = this.dashboard.output.trim()
  }

  /** A page that has come in by the printed address, at a path of it. */
  async page(path = '/', look: Look = {}): Promise<Page> {
    const page = await this.blankPage(look)
    await page.goto(this.url)
    await page.goto(this.at(path))
    await shown(page)
    return page
  }

  /** A page of a browser that has never been here. What goes wrong in it is noted, unless it is expected. */
  async blankPage({ width = 1280, colours = 'light' }: Look = {}, isExpected = false): Promise<Page> {
    const context = await this.browser.newContext({
      viewport: { width, height: 860 },
      colorScheme: colours,
      reducedMotion: 'reduce',
      timezoneId: 'UTC',
    })
    this.#contexts.push(context)
    const page = await context.newPage()
    page.setDefaultTimeout(PATIENCE_MS)
    page.on('dialog', dialog => {
      this.troubles.push(`dialog: ${dialog.message()}`)
      void dialog.dismiss()
    })
    page.on('request', request => {
      const { protocol, hostname } = new URL(request.url())
      if (protocol !== 'data:' && hostname !== '127.0.0.1') this.troubles.push(`request to ${request.url()}`)
    })
    if (isExpected) return page
    page.on('pageerror', error => this.troubles.push(`exception: ${error.stack}`))
    page.on('console', message => {
      if (message.type() === 'error' || message.type() === 'warning')
        this.troubles.push(`${message.type()}: ${message.text()} ${message.location().url}`)
    })
    return page
  }

  at(path: string): string {
    return new URL(path, this.url).href
  }

  async closePages(): Promise<void> {
    await Promise.all(this.#contexts.splice(0).map(context => context.close()))
  }

  async close(): Promise<void> {
    await this.browser.close()
    this.dispose()
  }
}

/** Waits until the view has its answer. */
export async function shown(page: Page): Promise<void> {
  await page.locator('main h1').first().waitFor()
  await page.locator('main .loading').first().waitFor({ state: 'detached' })
  await page.locator('main .waiting').first().waitFor({ state: 'detached' })
}

export async function screenshot(page: Page, name: string): Promise<void> {
  mkdirSync(SCREENSHOTS, { recursive: true })
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true })
}

/** What axe finds, each as one readable line. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(AXE)
  const results = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run(options: RunOptions): Promise<AxeResults> } }
    return axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] })
  })
  return results.violations.flatMap(({ id, nodes }) =>
    nodes.map(node => `${id}: ${node.html.slice(0, 200)} ${node.failureSummary ?? ''}`),
  )
}
