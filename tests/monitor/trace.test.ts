import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Place } from './fixtures.js'

interface Row {
  readonly function: string
  readonly outcome: string
  readonly call_id: string
  readonly parent_id: string | null
  readonly trace_id: string
}

const place = new Place()
let rows: readonly Row[] = []
beforeAll(async () => {
  expect(await place.json('standard', 'semantics-trace')).toEqual({ balanced: true })
  rows = place.rows<Row>('SELECT function, outcome, call_id, parent_id, trace_id FROM recent_calls')
})
afterAll(() => place.dispose())

const NOT_STORED = '(not stored)'

function row(name: string): Row {
  const found = rows.filter(candidate => candidate.function === name)
  expect(found, name).toHaveLength(1)
  return found[0]
}

function parentOf({ parent_id }: Row): string | null {
  if (parent_id === null) return null
  return rows.find(candidate => candidate.call_id === parent_id)?.function ?? NOT_STORED
}

/** `[function, parent]` of the calls whose name starts like that, and that they are one trace that begins at a root. */
function family(prefix: string): Record<string, string | null> {
  const members = rows.filter(candidate => candidate.function.startsWith(`${prefix}.`))
  return Object.fromEntries(
    members.map(member => [member.function.slice(prefix.length + 1), parentOf(member)]),
  )
}

const tracesOf = (...names: string[]): number => new Set(names.map(name => row(name).trace_id)).size

describe('calls inside calls', () => {
  it('nested synchronous calls: each has the one around it as parent, siblings have the same', () => {
    expect(family('sync')).toEqual({
      root: null,
      first: 'sync.root',
      middle: 'sync.root',
      inner: 'sync.middle',
      second: 'sync.root',
    })
    expect(tracesOf('sync.root', 'sync.first', 'sync.middle', 'sync.inner', 'sync.second')).toBe(1)
  })

  it('calls with nothing around them are roots of traces of their own', () => {
    expect(family('alone')).toEqual({ one: null, two: null })
    expect(tracesOf('alone.one', 'alone.two', 'sync.root')).toBe(3)
    for (const name of ['alone.one', 'await.root'])
      expect(row(name).trace_id.slice(16)).toBe(row(name).call_id)
  })

  it('after an await the parent is the same call, after the call it is not', () => {
    expect(family('await')).toEqual({
      root: null,
      before: 'await.root',
      after: 'await.root',
      child: 'await.root',
      grandchild: 'await.child',
      last: 'await.root',
      outside: null,
    })
    expect(tracesOf('await.root', 'await.after', 'await.grandchild', 'await.last')).toBe(1)
    expect(tracesOf('await.root', 'await.outside')).toBe(2)
  })

  it('concurrent calls do not mix their children', () => {
    expect(family('all')).toEqual({
      root: null,
      a: 'all.root',
      'a.leaf': 'all.a',
      b: 'all.root',
      'b.leaf': 'all.b',
      'b.late': 'all.b',
    })
    expect(tracesOf('all.root', 'all.a.leaf', 'all.b.late')).toBe(1)
  })

  it('timers, microtasks and ticks belong to the call that asked for them', () => {
    expect(family('timer')).toEqual({
      root: null,
      timeout: 'timer.root',
      microtask: 'timer.root',
      immediate: 'timer.root',
      tick: 'timer.root',
      afterwards: null,
    })
  })

  it('the body of a generator belongs to its call, whoever resumes it', () => {
    expect(family('generator')).toEqual({
      creator: null,
      steps: 'generator.creator',
      first: 'generator.steps',
      second: 'generator.steps',
      third: 'generator.steps',
      other: null,
      between: 'generator.other',
      outside: null,
    })
    expect(tracesOf('generator.creator', 'generator.first', 'generator.second', 'generator.third')).toBe(1)
    expect(tracesOf('generator.first', 'generator.between', 'generator.outside')).toBe(3)
  })

  it('async generators: the body to the generator, the loop to its reader', () => {
    expect(family('stream')).toEqual({
      reader: null,
      steps: 'stream.reader',
      first: 'stream.steps',
      second: 'stream.steps',
      body: 'stream.reader',
    })
  })

  it('listeners belong to the call that emits', () => {
    expect(family('emitter')).toEqual({ root: null, listener: 'emitter.root' })
  })

  it('calls that fail have parents too, and give the context back', () => {
    expect(family('failing')).toEqual({
      root: null,
      child: 'failing.root',
      after: 'failing.root',
      sync: 'failing.root',
      caught: 'failing.root',
    })
    expect([row('failing.child').outcome, row('failing.sync').outcome]).toEqual(['error', 'error'])
  })

  it('an unsampled call stands in the chain without a record: the trace holds, the parent is its id', () => {
    expect(family('unsampled')).toEqual({
      root: null,
      leaf: NOT_STORED,
      sibling: 'unsampled.root',
      'async.root': null,
      'async.leaf': NOT_STORED,
    })
    expect(tracesOf('unsampled.root', 'unsampled.leaf', 'unsampled.sibling')).toBe(1)
    expect(tracesOf('unsampled.async.root', 'unsampled.async.leaf')).toBe(1)
  })

  it('recursion is a chain', () => {
    const chain = rows.filter(candidate => candidate.function === 'recursion')
    expect(chain.map(parentOf).sort()).toEqual(['recursion', 'recursion', 'recursion', null].sort())
    expect(new Set(chain.map(({ parent_id }) => parent_id)).size).toBe(4)
    expect(new Set(chain.map(({ trace_id }) => trace_id)).size).toBe(1)
  })

  it('call ids are unique', () => {
    expect(new Set(rows.map(({ call_id }) => call_id)).size).toBe(rows.length)
  })
})
