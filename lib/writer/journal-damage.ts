/** Kind of the incident: bytes of an error journal were no entries, and were passed over. */
export const JOURNAL_DAMAGED = 'journal_damaged'
/** One that holds no whole entry, kept under another name. */
export const JOURNAL_SET_ASIDE = 'journal_set_aside'

/** What was passed over, and where. How many errors that were shows in `losses`. */
export function damageDetail(ring: number, segment: number, bytes: number, at: number): string {
  const plural = bytes === 1 ? 'byte' : 'bytes'
  return `${bytes} ${plural} from ${at} on in segment ${segment} of the journal of thread ${ring} are no whole entries; they were passed over`
}
