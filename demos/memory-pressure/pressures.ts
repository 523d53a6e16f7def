import { bytes, count } from '../print.js'

export interface Pressure {
  readonly name: string
  readonly title: string
  readonly build: () => unknown
  /** What else can be said once it was captured. */
  readonly after?: () => string
}

const ITEMS = 10_000_000
const ROWS = 1_000_000
const COLUMNS = 100
const LEVELS = 100_000
const STRING_UNITS = 64 * 1024 ** 2

let codeRun = 0
let trapped: unknown

/** The values; each is built when its turn comes and can be collected after it. */
export const pressures: readonly Pressure[] = [
  {
    name: 'list',
    title: `A list of ${count(ITEMS)} numbers`,
    build: () => Array.from({ length: ITEMS }, (_, i) => i),
  },
  {
    name: 'table',
    title: `A table of ${count(ROWS)} rows and ${COLUMNS} columns`,
    build: table,
  },
  {
    name: 'nesting',
    title: `An object nested ${count(LEVELS)} levels deep`,
    build: nesting,
  },
  {
    name: 'cycles',
    title: 'Cycles: a customer with orders that lead back to the customer',
    build: cycles,
  },
  {
    name: 'strings',
    title: `A string of ${bytes(STRING_UNITS)}, and one of 300 characters`,
    build: () => ({
      dump: Buffer.alloc(STRING_UNITS, 'lorem ipsum ').toString('latin1'),
      note: 'n'.repeat(300),
    }),
  },
  {
    name: 'traps',
    title: 'Getters, toJSON, toString, valueOf and a Proxy, all of which throw',
    build: traps,
    after: codeThatRan,
  },
]

/** Cells in one block of memory, a view of it per row: 100 million cells in all. */
function table(): Uint8Array[] {
  const cells = new Uint8Array(ROWS * COLUMNS).fill(7)
  return Array.from({ length: ROWS }, (_, row) => cells.subarray(row * COLUMNS, (row + 1) * COLUMNS))
}

function nesting(): unknown {
  let inner: unknown = 'the bottom'
  for (let level = LEVELS; level > 0; level--) inner = { level, inner }
  return inner
}

function cycles(): unknown {
  const customer: Record<string, unknown> = { name: 'Ada' }
  customer['self'] = customer
  customer['orders'] = [1, 2].map(id => ({ id, customer }))
  return customer
}

function traps(): unknown {
  const boom = (): never => {
    codeRun++
    throw new Error('the code of a captured value ran')
  }
  const handler = new Proxy({}, { get: () => boom })
  trapped = {
    get balance() {
      return boom()
    },
    toJSON: boom,
    toString: boom,
    valueOf: boom,
    proxy: new Proxy({ secret: 1 }, handler),
    plain: 'still recorded',
  }
  return trapped
}

/** Against a control: the traps do work. */
function codeThatRan(): string {
  const byCapture = codeRun
  let byJson = 'none'
  try {
    JSON.stringify(trapped)
  } catch (error) {
    byJson = error instanceof Error ? error.message : String(error)
  }
  return `code run by capture: ${count(byCapture)} times. JSON.stringify of the same value: "${byJson}"`
}
