const QUOTE = 0x22
const ZERO = 0x30
const NINE = 0x39
const BRACE = 0x7b
/** A bucket that no text names, unlike one with no calls. */
export const ABSENT = -1
export const NO_BUCKETS = new Float64Array(0)

/** For each function its calls by latency bucket; {@link ABSENT} so far. */
export function emptyCounts(functionIds: Iterable<number>, buckets: number): Map<number, Float64Array> {
  return new Map([...functionIds].map(id => [id, new Float64Array(buckets).fill(ABSENT)]))
}

/**
 * Adds texts `<function>{"<bucket>":<calls>, …}`, any number of them strung together. The digits before a brace are a
 * function, those before a quote a bucket, the others calls; parsing each text as JSON takes several times as long.
 *
 * @param countsOf the counts of a function, {@link NO_BUCKETS} when they are not wanted
 */
export function addBuckets(texts: Buffer, countsOf: (functionId: number) => Float64Array): void {
  let ofFunction: Float64Array = NO_BUCKETS
  let bucket = 0
  let value = 0
  let isNumber = false
  for (let i = 0; i < texts.length; i++) {
    const code = texts[i] as number
    if (code >= ZERO && code <= NINE) {
      value = value * 10 + code - ZERO
      isNumber = true
      continue
    }
    if (isNumber) {
      if (code === QUOTE) bucket = value
      else if (code === BRACE) ofFunction = countsOf(value)
      else if (bucket < ofFunction.length)
        ofFunction[bucket] = Math.max(0, ofFunction[bucket] as number) + value
      value = 0
      isNumber = false
    }
  }
}

/** The counts of one function as the file has them. */
export function bucketText(counts: Float64Array): string {
  const named: string[] = []
  for (const [bucket, calls] of counts.entries()) if (calls !== ABSENT) named.push(`"${bucket}":${calls}`)
  return `{${named.join(',')}}`
}
