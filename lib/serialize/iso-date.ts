import { floor } from './intrinsics.js'

const DAY_MS = 86_400_000
/** From the year 0 to the year 9999: only these are written with four digits. */
const FIRST_MS = -62_167_219_200_000
const LAST_MS = 253_402_300_799_999
export const ISO_DATE_BYTES = 24

export function hasFourDigitYear(time: number): boolean {
  return time >= FIRST_MS && time <= LAST_MS
}

/**
 * Writes a time as `toISOString` says it, which takes five times as long. The calendar is counted from the first of
 * March of the year 0, in eras of 400 years, so that the day a leap year adds is the last one of a year.
 */
export function writeIsoDate(bytes: Uint8Array, at: number, time: number): void {
  const days = floor(time / DAY_MS)
  const ms = time - days * DAY_MS
  const shifted = days + 719_468
  const era = floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const leaps = ((dayOfEra / 1_460) | 0) - ((dayOfEra / 36_524) | 0) + ((dayOfEra / 146_096) | 0)
  const yearOfEra = ((dayOfEra - leaps) / 365) | 0
  const dayOfYear = dayOfEra - (365 * yearOfEra + (yearOfEra >> 2) - ((yearOfEra / 100) | 0))
  const fromMarch = ((5 * dayOfYear + 2) / 153) | 0
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  const second = (ms / 1_000) | 0
  const minute = (second / 60) | 0
  const hour = (minute / 60) | 0
  const century = (year / 100) | 0
  twoDigits(bytes, at, century)
  twoDigits(bytes, at + 2, year - century * 100)
  bytes[at + 4] = 45
  twoDigits(bytes, at + 5, month)
  bytes[at + 7] = 45
  twoDigits(bytes, at + 8, dayOfYear - (((153 * fromMarch + 2) / 5) | 0) + 1)
  bytes[at + 10] = 84
  twoDigits(bytes, at + 11, hour)
  bytes[at + 13] = 58
  twoDigits(bytes, at + 14, minute - hour * 60)
  bytes[at + 16] = 58
  twoDigits(bytes, at + 17, second - minute * 60)
  bytes[at + 19] = 46
  const thousandths = ms - second * 1_000
  const tens = (thousandths / 10) | 0
  twoDigits(bytes, at + 20, tens)
  bytes[at + 22] = 48 + thousandths - tens * 10
  bytes[at + 23] = 90
}

function twoDigits(bytes: Uint8Array, at: number, value: number): void {
  const tens = (value / 10) | 0
  bytes[at] = 48 + tens
  bytes[at + 1] = 48 + value - tens * 10
}
