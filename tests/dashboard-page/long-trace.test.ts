import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openStore, type TraceRow } from '../../dist/index.js'
import { flameRows, layOut, unfolded } from '../../lib/dashboard/web/trace/layout.js'
import fc from '../support/fast-check.js'
import { hasBrowser, PageScene, shown, whyNoBrowser } from './scene.js'

const ITEMS = 9_999
/** As many rows as can be in sight, and some around them. */
const MOST_ROWS = 100

describe(`a trace of ten thousand calls${whyNoBrowser}`, { skip: !hasBrowser, timeout: 240_000 }, () => {
  let scene: PageScene
  let trace = ''

  beforeAll(async () => {
    scene = await PageScene.open(10)
    expect(await scene.shop(0, 0, ITEMS).ended).toMatchObject({ code: 0, stderr: '' })
    const store = openStore(scene.store)
    trace = store.calls({ function: 'Stock.takeStock' })[0]!.trace_id
    expect(store.trace(trace, { limit: ITEMS + 10 })).toHaveLength(ITEMS + 1)
    store.close()
  }, 240_000)
  afterAll(() => scene?.close())

  it('has only the rows in sight in the page, and reaches every one', async () => {
    const page = await scene.page(`/trace/${trace}`)
    await page.getByText('10,000 recorded calls').waitFor()
    const tree = page.getByRole('tree')
    const items = tree.getByRole('treeitem')
    expect(await items.count()).toBeLessThan(MOST_ROWS)
    await tree.focus()
    await page.keyboard.press('End')
    const selected = page
      .getByRole('region', { name: 'Selected call' })
      .getByRole('list', { name: 'Arguments' })
    await selected.getByText('9998', { exact: true }).waitFor()
    await tree.getByRole('treeitem', { selected: true }).waitFor()
    expect(await items.count()).toBeLessThan(MOST_ROWS)
    await page.keyboard.press('PageUp')
    await selected.getByText('9974', { exact: true }).waitFor()
    await page.keyboard.press('Home')
    await page.keyboard.press('ArrowLeft')
    await tree.getByText('+9999').waitFor()
    expect(await items.count()).toBe(1)
    expect(scene.troubles).toEqual([])
  })

  it('is drawn as flames, where the pointer finds each call', async () => {
    const page = await scene.page(`/trace/${trace}?view=flame`)
    await shown(page)
    const flame = page.getByRole('application', { name: /^Flame view of 10000 calls/ })
    await flame.hover({ position: { x: 5, y: 30 } })
    await flame.getByText('Stock.takeStock').waitFor()
    await flame.focus()
    await page.keyboard.press('ArrowDown')
    const selected = page.getByRole('region', { name: 'Selected call' })
    await selected.getByText('Stock.count').waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Show the whole trace' }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByText('Double click or Enter').waitFor()
    expect(scene.troubles).toEqual([])
  })
})

/** Calls as a damaged or foreign file may have them: parents that are missing, others' children, circles. */
const traces = fc
  .array(fc.record({ start: fc.nat(50), took: fc.nat(40), parent: fc.option(fc.nat(30)) }), { maxLength: 30 })
  .map(calls =>
    calls
      .map(({ start, took, parent }, i) => rowOf(i, start, took, parent))
      .toSorted((a, b) => a.start_us - b.start_us),
  )

function rowOf(call: number, start: number, took: number, parent: number | null): TraceRow {
  return {
    at: '2026-11-21T10:00:00.000Z',
    function: `f${call}`,
    outcome: 'ok',
    duration_ms: took / 1000,
    args: null,
    result: null,
    weight: 1,
    trace_id: 't',
    parent_id: parent === null ? null : String(parent),
    call_id: String(call),
    process: 'p[1]',
    shape: null,
    recorded: 'sampled',
    cuts: null,
    start_us: start,
    error: null,
    message: null,
  }
}

describe('the layout of a trace', () => {
  it('places every call once, below the one that made it', () => {
    fc.assert(
      fc.property(traces, rows => {
        const { spans } = layOut(rows)
        expect(spans.map(span => span.row.call_id).toSorted()).toEqual(
          rows.map(row => row.call_id).toSorted(),
        )
        for (const span of spans) {
          const parent = spans[span.parent]
          expect(span.depth).toBe(parent === undefined ? 0 : parent.depth + 1)
          if (parent !== undefined) expect(span.row.parent_id).toBe(parent.row.call_id)
          if (parent !== undefined) expect(parent.end).toBeGreaterThanOrEqual(span.end)
          expect(spans.slice(span.index + 1, span.end).every(below => below.depth > span.depth)).toBe(true)
        }
      }),
    )
  })

  it('hides exactly what is below a folded call', () => {
    fc.assert(
      fc.property(traces, fc.nat(29), (rows, which) => {
        const { spans } = layOut(rows)
        const folded = spans[which]
        if (folded === undefined) return
        const hidden = spans.slice(folded.index + 1, folded.end)
        expect(unfolded(spans, new Set([folded.index]))).toEqual(spans.filter(span => !hidden.includes(span)))
      }),
    )
  })

  it('lets no flame cover another', () => {
    fc.assert(
      fc.property(traces, rows => {
        const { spans } = layOut(rows)
        const places = flameRows(spans)
        for (const a of spans) {
          for (const b of spans) {
            if (a.index >= b.index || places[a.index] !== places[b.index]) continue
            expect(a.endMs <= b.startMs || b.endMs <= a.startMs || a.startMs === b.startMs).toBe(true)
          }
        }
      }),
    )
  })
})
