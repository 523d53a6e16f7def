import type { Tool } from './tools.js'

/** One row of the fault matrix; its tests are those that have `row <number>:` in their name. */
export interface Row {
  readonly row: number
  readonly fault: string
  /** Environment of the full counts; without it the tests run in their short form. */
  readonly full?: Readonly<Record<string, string>>
  /** What some of its tests need from the system. */
  readonly needs?: readonly Tool[]
}

/** The fault matrix. A count that a test reads from the environment stands here with its full value. */
export const ROWS: readonly Row[] = [
  { row: 1, fault: 'natural end, `process.exit`, uncaught throw, unhandled rejection, stack overflow' },
  { row: 2, fault: 'SIGTERM, SIGINT: no handler, handler of the app, twice' },
  { row: 3, fault: 'SIGKILL at random moments', full: { CALLSIGHT_KILLS: '200' } },
  { row: 4, fault: 'abort, SIGSEGV, heap out of memory' },
  { row: 5, fault: 'main thread blocked for ever, then killed' },
  { row: 6, fault: 'writer throws, dies after COMMIT, dies in a transaction' },
  { row: 7, fault: 'writer out of memory; cannot boot' },
  { row: 8, fault: 'writer stalls for 5 s', needs: ['strace'] },
  {
    row: 9,
    fault: 'worker threads of the app terminated in mid write',
    full: { CALLSIGHT_TERMINATIONS: '500' },
  },
  {
    row: 10,
    fault: 'disk full, quota reached, read-only remount',
    full: { CALLSIGHT_DISK_MOMENTS: '50' },
    needs: ['mount'],
  },
  {
    row: 11,
    fault: 'write or fsync fails at the Nth call, once and for ever',
    full: { CALLSIGHT_IO_FAULTS: '100' },
    needs: ['strace'],
  },
  { row: 12, fault: 'store unlinked, renamed, folder removed while open' },
  { row: 13, fault: 'another process holds the write lock', full: { CALLSIGHT_LOCK_SECONDS: '60' } },
  {
    row: 14,
    fault: 'several processes on one file',
    full: { CALLSIGHT_PROCESS_KILLS: '100', CALLSIGHT_CLUSTER_KILLS: '20' },
  },
  {
    row: 15,
    fault: 'damaged page, no database, zero bytes, directory or link, foreign schema',
    full: { CALLSIGHT_FLIPS: '200', CALLSIGHT_WAL_CUTS: '100' },
  },
  {
    row: 16,
    fault: 'journal torn, garbage, twice, 1 GB, mutated',
    full: { CALLSIGHT_FUZZ_RUNS: '10000', CALLSIGHT_JOURNAL_MB: '1024', CALLSIGHT_TAKEOVER_KILLS: '50' },
  },
  { row: 17, fault: 'a reader holds a transaction under load' },
  { row: 18, fault: 'retention under load', full: { CALLSIGHT_RETENTION_SECONDS: '6' } },
  { row: 19, fault: 'wall clock a day back and forth', needs: ['faketime'] },
  { row: 20, fault: 'burst: 100,000 errors in a million calls' },
  { row: 21, fault: 'hostile values, generated', full: { CALLSIGHT_FUZZ_RUNS: '100000' } },
  {
    row: 22,
    fault: 'ring against a simple queue, two threads',
    full: { CALLSIGHT_RING_RECORDS: '10000000' },
  },
  { row: 23, fault: 'breaker against its table, random events', full: { CALLSIGHT_BREAKER_RUNS: '100' } },
  { row: 24, fault: 'out of descriptors, out of processes', needs: ['prlimit'] },
  { row: 25, fault: 'soak with random faults', full: { CALLSIGHT_SOAK_SECONDS: '600' }, needs: ['mount'] },
]
