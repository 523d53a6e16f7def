import type { ErrorRow } from '../../lib/store/insert.js'

export const errorFields: Omit<ErrorRow, 'endUs'> = {
  salt: 0,
  functionId: 1,
  processId: 1,
  ring: 0,
  seq: 1,
  durationNs: 2_500_000,
  call: 7,
  trace: 7,
  parent: 0,
  flags: 1,
  shape: null,
  args: '[1]',
  error: 'TypeError',
  message: 'no',
  stack: 'TypeError: no\n  at x',
  details: null,
  fingerprint: '0123456789abcdef',
  cuts: null,
}
