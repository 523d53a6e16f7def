import fc from './fast-check.js'

/** What can happen to the bytes of a file. Places are shares of its length, so that they fit whatever is left of it. */
export type Mutation =
  | { readonly kind: 'flip'; readonly at: number; readonly bit: number }
  | { readonly kind: 'cut'; readonly at: number }
  | { readonly kind: 'remove'; readonly at: number; readonly bytes: number }
  | { readonly kind: 'insert'; readonly at: number; readonly garbage: Uint8Array }
  | { readonly kind: 'repeat'; readonly at: number; readonly bytes: number; readonly to: number }
  | { readonly kind: 'swap'; readonly at: number; readonly to: number; readonly bytes: number }
  | { readonly kind: 'zero'; readonly at: number; readonly bytes: number }
  /** Writes a length where an entry of the intact file begins. */
  | { readonly kind: 'length'; readonly at: number; readonly value: number }

const place = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })
const some = fc.integer({ min: 1, max: 700 })
const length = fc.oneof(fc.integer({ min: 0, max: 70_000 }), fc.constantFrom(2 ** 31, 2 ** 32 - 1))

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at: place, bit: fc.nat(7) }),
  fc.record({ kind: fc.constant('cut' as const), at: place }),
  fc.record({ kind: fc.constant('remove' as const), at: place, bytes: some }),
  fc.record({
    kind: fc.constant('insert' as const),
    at: place,
    garbage: fc.uint8Array({ minLength: 1, maxLength: 80 }),
  }),
  fc.record({ kind: fc.constant('repeat' as const), at: place, bytes: some, to: place }),
  fc.record({ kind: fc.constant('swap' as const), at: place, to: place, bytes: some }),
  fc.record({ kind: fc.constant('zero' as const), at: place, bytes: some }),
  fc.record({ kind: fc.constant('length' as const), at: place, value: length }),
)
export const damages: fc.Arbitrary<Mutation[]> = fc.array(mutation, { maxLength: 4 })

/** @param starts where the entries begin in the intact bytes */
export function mutate(
  intact: Uint8Array,
  starts: readonly number[],
  mutations: readonly Mutation[],
): Buffer {
  return mutations.reduce<Buffer>((bytes, one) => apply(bytes, starts, one), Buffer.from(intact))
}

function apply(bytes: Buffer, starts: readonly number[], one: Mutation): Buffer {
  if (bytes.length === 0) return bytes
  const at = Math.floor(one.at * bytes.length)
  switch (one.kind) {
    case 'flip':
      bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << one.bit), at)
      return bytes
    case 'cut':
      return bytes.subarray(0, at)
    case 'remove':
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + one.bytes)])
    case 'insert':
      return Buffer.concat([bytes.subarray(0, at), one.garbage, bytes.subarray(at)])
    case 'repeat': {
      const to = Math.floor(one.to * bytes.length)
      return Buffer.concat([bytes.subarray(0, to), bytes.subarray(at, at + one.bytes), bytes.subarray(to)])
    }
    case 'swap': {
      const to = Math.floor(one.to * bytes.length)
      const count = Math.min(one.bytes, bytes.length - Math.max(at, to))
      const [a, b] = [
        Buffer.from(bytes.subarray(at, at + count)),
        Buffer.from(bytes.subarray(to, to + count)),
      ]
      bytes.set(b, at)
      bytes.set(a, to)
      return bytes
    }
    case 'zero':
      bytes.fill(0, at, Math.min(bytes.length, at + one.bytes))
      return bytes
    case 'length': {
      const start = starts[Math.floor(one.at * starts.length)] ?? 0
      if (start + 4 <= bytes.length) bytes.writeUInt32LE(one.value, start)
      return bytes
    }
    default:
      return one satisfies never
  }
}
