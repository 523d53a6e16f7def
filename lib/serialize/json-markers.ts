import type { JsonBytes } from './json-bytes.js'
import { malformed } from './malformed-payload.js'
import { CUT_REASONS, Cut, SCRUBBED, SILENT, WORDS } from './markers.js'

const QUOTE = 0x22

/** How many values were cut, by reason. */
export class CutCounter {
  readonly #counts = new Uint32Array(CUT_REASONS.length + 1)
  #isEmpty = true

  add(reason: number, amount: number): void {
    if (reason === Cut.none || reason > CUT_REASONS.length) return
    this.#isEmpty = false
    this.#counts[reason] = (this.#counts[reason] as number) + amount
  }

  reset(): void {
    if (!this.#isEmpty) this.#counts.fill(0)
    this.#isEmpty = true
  }

  /** JSON, in the order of {@link CUT_REASONS}; `null` for none. */
  text(): string | null {
    if (this.#isEmpty) return null
    let text = ''
    for (let reason = 1; reason < this.#counts.length; reason++) {
      const count = this.#counts[reason] as number
      if (count > 0) text += `${text === '' ? '{' : ','}"${CUT_REASONS[reason - 1]}":${count}`
    }
    return `${text}}`
  }
}

export function writeWord(out: JsonBytes, cuts: CutCounter, index: number): void {
  const word = WORDS[index]
  if (word !== undefined) cuts.add(word.reason, 1)
  out.byte(QUOTE)
  out.ascii(word === undefined ? `[word ${index}]` : word.text)
  out.byte(QUOTE)
}

export function writeMarker(
  out: JsonBytes,
  cuts: CutCounter,
  bytes: Uint8Array,
  from: number,
  end: number,
): void {
  const byte = bytes[from] as number
  const reason = byte & ~(SILENT | SCRUBBED)
  cuts.add(reason, 1)
  if ((byte & SCRUBBED) !== 0) cuts.add(Cut.redacted, 1)
  const textAt = readAmount(bytes, from + 1, end).next
  out.ascii('"[')
  if (textAt === end) writeRest(out)
  else out.text(bytes, textAt, end)
  const name = (byte & SILENT) === 0 ? CUT_REASONS[reason - 1] : undefined
  if (name !== undefined) out.ascii(`: ${name}`)
  out.ascii(']"')
}

/** A string with something taken out of it, or cut off. */
export function writeText(
  out: JsonBytes,
  cuts: CutCounter,
  bytes: Uint8Array,
  from: number,
  end: number,
): void {
  const reason = bytes[from + 1] as number
  const redactions = bytes[from] as number
  if (redactions > 0) cuts.add(Cut.redacted, redactions)
  cuts.add(reason, 1)
  const textAt = readAmount(bytes, from + 2, end).next
  out.byte(QUOTE)
  out.text(bytes, textAt, end)
  const name = CUT_REASONS[reason - 1]
  if (name !== undefined) {
    out.ellipsis()
    out.ascii('[')
    writeRest(out)
    out.ascii(`: ${name}]`)
  }
  out.byte(QUOTE)
}

/** What {@link readAmount} has read. One object: nothing is allocated on the way of every record. */
const read = { amount: 0, next: 0 }

function writeRest(out: JsonBytes): void {
  out.integer(read.amount)
  out.ascii(' more')
}

/** Reads seven bits a byte, lowest first. The answer is valid until the next call. */
export function readAmount(bytes: Uint8Array, from: number, end: number): Readonly<typeof read> {
  let amount = 0
  let scale = 1
  for (let at = from; at < end; at++) {
    const byte = bytes[at] as number
    amount += (byte & 0x7f) * scale
    if (amount > Number.MAX_SAFE_INTEGER) break
    if (byte < 0x80) {
      read.amount = amount
      read.next = at + 1
      return read
    }
    scale *= 0x80
  }
  throw malformed('has a broken amount', from)
}
