/**
 * Also of version 3 of the file: how each recorder does.
 */
export const RECORDER_SCHEMA = [
  `
-- What the writer of a process says of itself, about once a second while it writes.
CREATE TABLE recorder_states (
  process_id       INTEGER PRIMARY KEY,
  written_us       INTEGER NOT NULL,
  breaker          INTEGER NOT NULL,        -- BreakerStateCode: 0 closed, 1 open, 2 half-open
  openings         INTEGER NOT NULL,        -- times the breaker went from closed to open
  opened_us        INTEGER,                 -- the last time; NULL: never
  closed_us        INTEGER,                 -- when it last closed again; NULL: never
  queue_bytes      INTEGER NOT NULL,        -- left in the rings of all threads together
  capacity_bytes   INTEGER NOT NULL,        -- of these rings
  highest_bytes    INTEGER NOT NULL,        -- most that was ever found in the ring of one thread, by its share
  highest_of_bytes INTEGER NOT NULL,        -- capacity of that ring
  writer_cpu_ms    INTEGER,                 -- processor time of the writer's threads; NULL: this system does not tell
  batches          INTEGER NOT NULL,
  sweeps           INTEGER NOT NULL,        -- times retention went through the store
  retention_ms     INTEGER NOT NULL,
  max_bytes        INTEGER NOT NULL         -- limit of the store with its log
) STRICT;
`,
]
