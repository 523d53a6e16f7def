import { FUNCTION_TOTALS } from './totals-sql.js'

/**
 * Version 3 of the file: totals per hour, and what running processes are told to change.
 */
const TABLES = `
-- Totals of whole hours, over all processes: the sums of the rows of totals of that hour, for reading long spans.
CREATE TABLE hours (
  hour            INTEGER NOT NULL,         -- Unix hours
  function_id     INTEGER NOT NULL,
  calls           INTEGER NOT NULL,
  errors          INTEGER NOT NULL,
  kept            INTEGER NOT NULL,
  timed           INTEGER NOT NULL,
  duration_sum_ns INTEGER NOT NULL,
  duration_max_ns INTEGER NOT NULL,
  buckets         TEXT NOT NULL,            -- JSON: {"<latency bucket>": calls}
  PRIMARY KEY (hour, function_id)
) STRICT, WITHOUT ROWID;

-- Which hours can be read from there. Whoever changes a minute deletes the row of its hour in the same transaction.
CREATE TABLE hours_summed (
  hour         INTEGER PRIMARY KEY,
  summed_up_to INTEGER                      -- functions up to this number are summed so far; NULL: all
) STRICT;

-- Changes of sampling and capture, for processes that run or start until they expire.
CREATE TABLE tunings (
  tuning_id  INTEGER PRIMARY KEY AUTOINCREMENT,
  pattern    TEXT NOT NULL,
  options    TEXT NOT NULL,                 -- JSON, as tune() takes them
  process    TEXT,                          -- pid, script[pid] or boot id; NULL: every process
  created_us INTEGER NOT NULL,
  expires_us INTEGER NOT NULL,
  cleared_us INTEGER,                       -- ended early
  created_by TEXT NOT NULL                  -- who: user, pid and host
) STRICT;
`

// A file of an earlier version has the view of that time.
const VIEWS = `
DROP VIEW IF EXISTS function_totals;
CREATE VIEW function_totals AS
${FUNCTION_TOTALS};
`

export const HOURS_SCHEMA = [TABLES, VIEWS]
