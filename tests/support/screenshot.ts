/**
 * Makes the picture of the dashboard that the README shows, from what `npm run demo:dashboard` records.
 *
 *   npm run screenshot                          runs the demo for a quarter of an hour
 *   npm run screenshot -- <printed address>     of a demo that has been running for a while
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

const MINUTES = 16
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const TARGET = fileURLToPath(new URL('../../memory-bank/dashboard.png', import.meta.url))

const [, , given] = process.argv
const demo =
  given === undefined
    ? spawn(process.execPath, ['--import', 'tsx', 'demos/dashboard.ts'], { cwd: ROOT })
    : null
try {
  const url = given ?? (await printedAddress())
  if (demo !== null) await new Promise(resolve => setTimeout(resolve, MINUTES * 60_000))
  await draw(url)
} finally {
  if (demo?.kill('SIGINT')) await once(demo, 'exit')
}

async function printedAddress(): Promise<string> {
  for await (const line of createInterface(demo!.stdout)) {
    const address = /http:\S+/.exec(line)?.[0]
    if (address !== undefined) return address
  }
  throw new Error('The demo ended without printing an address.')
}

async function draw(url: string): Promise<void> {
  const browser = await chromium.launch({
    executablePath: execFileSync('which', ['chromium'], { encoding: 'utf8' }).trim(),
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--disable-background-networking',
      '--hide-scrollbars',
    ],
  })
  try {
    const page = await browser.newPage({
      viewport: { width: 1240, height: 900 },
      deviceScaleFactor: 1.4,
      colorScheme: 'light',
      reducedMotion: 'reduce',
    })
    await page.goto(url)
    await page.goto(new URL('/?range=15m', url).href)
    await page.getByRole('table', { name: 'Functions' }).waitFor()
    // The foot names the file on this machine; it is no part of the picture.
    const foot = await page.locator('.coverage').boundingBox()
    await page.setViewportSize({
      width: 1240,
      height: Math.ceil((foot?.y ?? 860) + (foot?.height ?? 0) + 14),
    })
    await page.getByRole('button', { name: 'Live' }).waitFor()
    await page.screenshot({ path: TARGET })
  } finally {
    await browser.close()
  }
}
