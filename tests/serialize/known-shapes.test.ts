import { expect, it } from 'vitest'
import { KnownShapes } from '../../lib/serialize/known-shapes.js'

it('what is remembered stays as it was when the memory it was read from holds something else', () => {
  for (const memory of [Buffer.from([9, 1, 2, 3]), Uint8Array.of(9, 1, 2, 3)]) {
    const shapes = new KnownShapes()
    shapes.remember(0, memory, 1, 3, 'text')
    expect(shapes.find(0, memory, 1, 4)?.text).toBe('text')
    memory.set([7, 7], 1)
    expect(shapes.find(0, memory, 1, 4)).toBe(null)
    expect(shapes.find(0, Uint8Array.of(1, 2), 0, 2)?.bytes).toEqual(Uint8Array.of(1, 2))
    expect(shapes.find(0, Uint8Array.of(1, 2), 0, 1)).toBe(null)
    expect(shapes.find(1, Uint8Array.of(1, 2), 0, 2)).toBe(null)
  }
})
