import { charCodeAt, floor } from './intrinsics.js'
import type { Spans } from './secret-spans.js'

export const MIN_CARD_DIGITS = 13
const MAX_CARD_DIGITS = 19
const MAX_SAFE = Number.MAX_SAFE_INTEGER
/** No smaller number is a card number. */
export const CARD_FROM = 3e12
const cardDigits = new Uint8Array(MAX_CARD_DIGITS)

/** Groups of digits, joined by single spaces or dashes, that form a card number. */
export function markCards(text: string, spans: Spans): void {
  const length = text.length
  for (let start = 0; start < length; start++) {
    if (!isDigit(charCodeAt(text, start))) continue
    let count = 0
    let at = start
    while (at < length && count < MAX_CARD_DIGITS && isDigit(charCodeAt(text, at))) {
      cardDigits[count++] = charCodeAt(text, at++) - 48
      const next = at < length ? charCodeAt(text, at) : 0
      if (isDigit(next)) continue
      if (isCardNumber(cardDigits, count)) spans.add(start, at)
      if ((next === 32 || next === 45) && at + 1 < length) at++
    }
    while (start + 1 < length && isDigit(charCodeAt(text, start + 1))) start++
  }
}

export function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}

/** A number, as it stands in a value, that is a card number. */
export function isCardInteger(value: number): boolean {
  if (value < CARD_FROM || value > MAX_SAFE) return false
  let rest = value
  let count = 0
  for (let probe = value; probe >= 1; probe /= 10) count++
  for (let i = count - 1; i >= 0; i--) {
    const next = floor(rest / 10)
    cardDigits[i] = rest - next * 10
    rest = next
  }
  return isCardNumber(cardDigits, count)
}

/**
 * Length and first digits of an issued range (ISO/IEC 7812), and the Luhn check. Without the ranges every tenth
 * timestamp or database id would look like a card.
 */
function isCardNumber(digits: Uint8Array, count: number): boolean {
  if (count < MIN_CARD_DIGITS || !isIssued(digits, count)) return false
  let sum = 0
  for (let i = 0; i < count; i++) {
    let digit = digits[count - 1 - i] as number
    if ((i & 1) === 1) {
      digit *= 2
      if (digit > 9) digit -= 9
    }
    sum += digit
  }
  return sum % 10 === 0
}

function isIssued(digits: Uint8Array, count: number): boolean {
  const second = digits[1] as number
  switch (digits[0]) {
    case 2:
      return count === 16 && second >= 2 && second <= 7
    case 3:
      return count === 14 ? second === 0 || second === 6 || second === 8 : count === 15 || count === 16
    case 4:
      return count === 13 || count === 16 || count === 19
    case 5:
      return count === 16 || second === 0 || second >= 6
    case 6:
      return count >= 16
    default:
      return false
  }
}
