import { join } from 'node:path'
import {
  DriverError,
  ForeignStoreError,
  openStore,
  StoreNotFoundError,
  StoreQueryError,
  StoreReadError,
} from 'callsight'
import { describe, expect, it } from 'vitest'

const CLASSES = { DriverError, ForeignStoreError, StoreNotFoundError, StoreQueryError, StoreReadError }

function thrownBy(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

describe('errors of the readers, which are a program of their own', () => {
  const missing = thrownBy(() => openStore(join(import.meta.dirname, 'no-such-folder', 'calls.db')))
  const foreign = thrownBy(() => openStore(import.meta.filename))

  it('are of the classes that the package exports, and of no other', () => {
    const classesOf = (error: unknown): string[] =>
      Object.entries(CLASSES).flatMap(([name, known]) => (error instanceof known ? [name] : []))
    expect(classesOf(missing)).toEqual(['StoreNotFoundError'])
    expect(classesOf(foreign)).toEqual(['ForeignStoreError'])
    expect(classesOf(new Error('StoreNotFoundError'))).toEqual([])
    expect(classesOf(Object.assign(new Error(''), { name: 'StoreNotFoundError' }))).toEqual([])
  })

  it('are of none that the app derives from them', () => {
    class Mine extends StoreNotFoundError {}
    expect(missing instanceof Mine).toBe(false)
    expect(new Mine('a path') instanceof Mine).toBe(true)
    expect(new Mine('a path') instanceof StoreNotFoundError).toBe(true)
  })

  it('are known when a bundler has renamed the classes', () => {
    const { name } = StoreNotFoundError
    Object.defineProperty(StoreNotFoundError, 'name', { value: 'a' })
    expect(missing instanceof StoreNotFoundError).toBe(true)
    Object.defineProperty(StoreNotFoundError, 'name', { value: name })
  })
})
