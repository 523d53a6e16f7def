/**
 * One thing that is known of the records of a function, such as the value at `args[0].symbol`. A record that does not
 * tell (cut, redacted, not captured) is not in the column, so that it counts neither for nor against a condition made
 * of it.
 */
export interface Column {
  readonly name: string
  readonly words: Wording
  /** Records that tell, by their index, ascending. */
  readonly known: number[]
  /** Of each value told by name, the records with it; `null`: too many different ones, each is one of many. */
  texts: Map<string, number[]> | null
  /** Records with a number here, and the numbers. */
  readonly numbered: number[]
  readonly numbers: number[]
}

/** How a condition on a column is put. */
export interface Wording {
  readonly is: (name: string, value: string) => string
  readonly isNot: (name: string, value: string) => string
  readonly atLeast: (name: string, value: string) => string
  readonly lessThan: (name: string, value: string) => string
}

const MOST_COLUMNS = 200
const MOST_TEXTS = 500
const LONGEST_TEXT = 64

const COMPARED = {
  atLeast: (name: string, value: string) => `${name} >= ${value}`,
  lessThan: (name: string, value: string) => `${name} < ${value}`,
}
const VALUE: Wording = {
  is: (name, value) => `${name} = ${value}`,
  isNot: (name, value) => `${name} is not ${value}`,
  ...COMPARED,
}
const KEYS: Wording = {
  is: (name, key) => `${name}${key} is there`,
  isNot: (name, key) => `${name}${key} is missing`,
  ...COMPARED,
}

/** Columns by name. Records are added in ascending order. */
export class Columns {
  readonly #columns = new Map<string, Column>()
  readonly #sizes = new Map<string, Wording>()
  /** There was more than is looked at. */
  isCut = false

  get all(): readonly Column[] {
    return [...this.#columns.values()]
  }

  value(record: number, name: string, value: string): void {
    add(this.#column(`= ${name}`, name, VALUE), record, [value])
  }

  /** All keys of an object, as they are written behind its name. */
  keys(record: number, name: string, keys: readonly string[]): void {
    add(this.#column(`keys ${name}`, name, KEYS), record, keys)
  }

  number(record: number, name: string, value: number): void {
    addNumber(this.#column(`= ${name}`, name, VALUE), record, value)
  }

  /** `args[1]: array of 1,000 items or more` */
  size(record: number, name: string, kind: string, unit: string, size: number): void {
    const of = `${kind} of`
    let words = this.#sizes.get(`${of} ${unit}`)
    if (words === undefined) {
      words = {
        is: (at, value) => `${at}: ${of} ${value} ${unit}`,
        isNot: (at, value) => `${at}: ${of} other than ${value} ${unit}`,
        atLeast: (at, value) => `${at}: ${of} ${value} ${unit} or more`,
        lessThan: (at, value) => `${at}: ${of} less than ${value} ${unit}`,
      }
      if (this.#sizes.size < MOST_COLUMNS) this.#sizes.set(`${of} ${unit}`, words)
    }
    addNumber(this.#column(`size ${kind} ${name}`, name, words), record, size)
  }

  #column(key: string, name: string, words: Wording): Column | null {
    let column = this.#columns.get(key)
    if (column === undefined) {
      if (this.#columns.size === MOST_COLUMNS) {
        this.isCut = true
        return null
      }
      column = { name, words, known: [], texts: new Map(), numbered: [], numbers: [] }
      this.#columns.set(key, column)
    }
    return column
  }
}

function add(column: Column | null, record: number, values: readonly string[]): void {
  // A key may stand twice in a text that no recorder has written.
  if (column === null || column.known.at(-1) === record) return
  column.known.push(record)
  for (const value of values) {
    // A long one is just another one than those that are told by name.
    if (column.texts === null || value.length > LONGEST_TEXT) continue
    const members = column.texts.get(value)
    if (members !== undefined) members.push(record)
    else if (column.texts.size < MOST_TEXTS) column.texts.set(value, [record])
    else column.texts = null
  }
}

function addNumber(column: Column | null, record: number, value: number): void {
  if (column === null || column.numbered.at(-1) === record) return
  column.numbered.push(record)
  column.numbers.push(value)
}
