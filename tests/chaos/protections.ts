/** A protective measure, how it is taken away, and the test that must notice. */
export interface Protection {
  readonly name: string
  readonly edits: readonly Edit[]
  /** Test file, and a part of the full name of the test. */
  readonly file: string
  readonly test: string
}

/** One replacement in a source file; the text stands there exactly once. */
export interface Edit {
  readonly in: string
  readonly text: string
  readonly becomes: string
}

const edit = (file: string, text: string, becomes = ''): Edit => ({ in: file, text, becomes })

/** To add one: the smallest edit that compiles and takes the measure away, and the test meant to notice it. */
export const PROTECTIONS: readonly Protection[] = [
  {
    name: 'errors are written to the journal when they happen',
    edits: [
      edit(
        'lib/queue/journal.ts',
        'this.#writeFrame(this.buffer, this.#view, frameBytes, callsProduced)\n      return null',
        'return null',
      ),
    ],
    file: 'tests/faults/ends.test.ts',
    test: 'abort: every error is stored after the next start',
  },
  {
    name: 'the ring gives memory back after COMMIT only',
    edits: [
      edit(
        'lib/writer/transactions.ts',
        'atLast(nowUs)\n',
        'atLast(nowUs)\n      for (const { lane } of batches) lane.consumer.release()\n',
      ),
    ],
    file: 'tests/faults/writer.test.ts',
    test: 'exitInTransaction: it comes back',
  },
  {
    name: 'a COMMIT is believed only when the file shows it',
    edits: [
      edit('lib/store/insert.ts', 'if (done === undefined || this.#db.inTransaction)', 'if (done === null)'),
      edit(
        'lib/store/insert.ts',
        '    if (lane !== null) {\n      const found',
        '    if (lane !== null && lane.ring === -1) {\n      const found',
      ),
    ],
    file: 'tests/store/insert.test.ts',
    test: 'does not count as committed when COMMIT fails without a word',
  },
  {
    name: 'errors have a unique number',
    edits: [
      edit('lib/store/schema.ts', 'UNIQUE (process_id, ring, seq)', 'CHECK (seq >= 0)'),
      edit('lib/store/insert-sql.ts', ' ON CONFLICT (process_id, ring, seq) DO NOTHING'),
    ],
    file: 'tests/store/insert.test.ts',
    test: 'delivered twice are stored once',
  },
  {
    name: 'the recorder listens for the end of the process',
    edits: [edit('lib/recorder.ts', 'end: () => endOfThread(parts)', 'end: () => {}')],
    file: 'tests/faults/ends.test.ts',
    test: 'process.exit at once',
  },
  {
    name: 'the end of the process gives the writer time to store',
    edits: [
      edit(
        'lib/threads/own-writer.ts',
        'this.#control.stuck ? Math.min(waitMs, STUCK_EXIT_MS) : waitMs',
        'waitMs - waitMs + Math.min(0, STUCK_EXIT_MS)',
      ),
    ],
    file: 'tests/faults/ends.test.ts',
    test: 'the next start takes the errors over even when it ends at once',
  },
  {
    name: 'what the writer did not confirm at the end goes to the journal',
    edits: [edit('lib/threads/own-writer.ts', '    this.#lane.producer.saveRing()\n')],
    file: 'tests/faults/lost-store.test.ts',
    test: 'and nothing but calls was made: they wait in the journal too',
  },
  {
    name: 'retention deletes what is too old',
    edits: [edit('lib/store/retention.ts', 'if (cutoffUs > 0) deleteOlder(cutoffUs, slice)')],
    file: 'tests/faults/load.test.ts',
    test: 'row 18',
  },
  {
    name: 'retention deletes in slices',
    edits: [edit('lib/store/age-limit.ts', '.get(limit, slice.left - 1) ??', '.get(limit, 2 ** 31) ??')],
    file: 'tests/store/retention.test.ts',
    test: 'agrees with a filtered array, whatever the slices',
  },
  {
    name: 'the reader of the ring believes no impossible frame',
    edits: [
      edit(
        'lib/queue/ring.ts',
        'if (size < 8 || (size & 7) !== 0 || size > available || start + size > this.#ringBytes)',
        'if (available === 0)',
      ),
    ],
    file: 'tests/queue/ring.test.ts',
    test: 'says that overwritten memory is no frame',
  },
  {
    name: 'a writer that was given up commits nothing',
    edits: [
      edit(
        'lib/writer/transactions.ts',
        "    if (this.#control.givenUp) throw new GivenUpError('nobody waits for the writer any more')\n    this.#participants",
        '    this.#participants',
      ),
    ],
    file: 'tests/writer/drain.test.ts',
    test: 'commits nothing: what its owner has saved stays the only copy',
  },
  {
    name: 'a damaged store is set aside',
    edits: [
      edit('lib/store/open.ts', 'const moved = setAside(file, seen)', 'const moved = null as string | null'),
    ],
    file: 'tests/faults/lost-store.test.ts',
    test: 'a store with damaged pages: set aside',
  },
  {
    name: 'the state of the breaker survives its writer',
    edits: [
      edit(
        'lib/writer/shared-breaker.ts',
        'const code = i32[ControlI32.BREAKER_STATE]',
        'const code = -1 as number',
      ),
    ],
    file: 'tests/writer/shared-breaker.test.ts',
    test: 'a writer that is started again goes on with the breaker of the one before',
  },
  {
    name: 'entries of the journal have a checksum',
    edits: [
      edit(
        'lib/queue/journal-reader.ts',
        'if (crc32(this.#chunk.subarray(body, body + bodyBytes), this.#seed) !== expected) return null',
        'if (crc32(this.#chunk.subarray(body, body), this.#seed) === expected + 1) return null',
      ),
    ],
    file: 'tests/queue/journal.test.ts',
    test: 'gives its entries in order and invents none',
  },
  {
    name: 'errors that a vanished store had are sent again',
    edits: [
      edit('lib/writer/sessions.ts', 'if (sound) journal.confirm()', 'if (sound || true) journal.confirm()'),
    ],
    file: 'tests/faults/lost-store.test.ts',
    test: 'renamed: a new one is started, with every error since',
  },
  {
    name: 'an error of an earlier file of the store is not counted twice',
    edits: [edit('lib/writer/leftover.ts', ' && missing(errors) > 0) errors', ') errors')],
    file: 'tests/faults/lost-store-killed.test.ts',
    test: 'after it has begun a new one',
  },
  {
    name: 'journals of living processes are left alone',
    edits: [
      edit(
        'lib/writer/process-life.ts',
        "if (life !== 'elsewhere') return life",
        "if (life !== 'elsewhere') return 'dead'",
      ),
    ],
    file: 'tests/faults/threads.test.ts',
    test: 'a journal of a thread is left alone as long as its process lives',
  },
  {
    name: 'the write-ahead log has a cap',
    edits: [
      edit(
        'lib/store/write-ahead-log.ts',
        'this.bytes < this.#capBytes)',
        'this.bytes < this.#capBytes * 1e6)',
      ),
    ],
    file: 'tests/faults/wal-cap.test.ts',
    test: 'the log stops at its cap',
  },
  {
    name: 'the journals have a limit',
    edits: [
      edit('lib/queue/journal-budget.ts', 'if (kib >= this.#maxKib)', 'if (kib >= this.#maxKib * 1e6)'),
    ],
    file: 'tests/faults/journal-limit.test.ts',
    test: 'they stay within it',
  },
  {
    name: 'the reserve of a full disk is for errors',
    edits: [edit('lib/writer/store-guard.ts', 'troubles.requireReserve()')],
    file: 'tests/faults/disk-full.test.ts',
    test: 'and the program is killed then',
  },
  {
    name: 'damage in a journal costs only itself',
    edits: [
      edit(
        'lib/queue/journal-reader.ts',
        '?? this.#passOver()',
        '?? (this.#position < 0 ? this.#passOver() : null)',
      ),
    ],
    file: 'tests/faults/journal-damage.test.ts',
    test: 'one flipped bit costs one record',
  },
  {
    name: 'a writer that stands still is noticed',
    edits: [
      edit(
        'lib/writer/supervisor.ts',
        'const stuck = this.#looksWithoutProgress >= patience',
        'const stuck = patience < 0',
      ),
    ],
    file: 'tests/faults/writer.test.ts',
    test: 'the state says so, one warning, errors go on to the journal',
  },
]
