import { charCodeAt } from './intrinsics.js'

/** Writes the first `units` UTF-16 units; lone surrogates become U+FFFD. Returns the offset behind them. */
export function writeUtf8(bytes: Uint8Array, at: number, text: string, units: number): number {
  let position = at
  for (let i = 0; i < units; i++) {
    let code = charCodeAt(text, i)
    if (code < 0x80) {
      bytes[position++] = code
      continue
    }
    if (code < 0x800) {
      bytes[position++] = 0xc0 | (code >>> 6)
      bytes[position++] = 0x80 | (code & 0x3f)
      continue
    }
    if ((code & 0xf800) === 0xd800) {
      const next = code < 0xdc00 && i + 1 < units ? charCodeAt(text, i + 1) : 0
      if ((next & 0xfc00) === 0xdc00) {
        i++
        const point = 0x10000 + ((code - 0xd800) << 10) + (next - 0xdc00)
        bytes[position++] = 0xf0 | (point >>> 18)
        bytes[position++] = 0x80 | ((point >>> 12) & 0x3f)
        bytes[position++] = 0x80 | ((point >>> 6) & 0x3f)
        bytes[position++] = 0x80 | (point & 0x3f)
        continue
      }
      code = 0xfffd
    }
    bytes[position++] = 0xe0 | (code >>> 12)
    bytes[position++] = 0x80 | ((code >>> 6) & 0x3f)
    bytes[position++] = 0x80 | (code & 0x3f)
  }
  return position
}

/** Upper bound of the UTF-8 bytes of the first `units`, exact but for surrogate pairs (6 instead of 4). */
export function utf8Bytes(text: string, units: number): number {
  let bytes = 0
  for (let i = 0; i < units; i++) {
    const code = charCodeAt(text, i)
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : 3
  }
  return bytes
}
