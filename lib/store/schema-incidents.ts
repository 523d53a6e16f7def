import {
  INCIDENT_ORDER,
  INCIDENTS,
  losses,
  OPEN_CALL_ORDER,
  openCalls,
  STALL_ORDER,
  STALLS,
} from './incident-sql.js'

/**
 * Version 2 of the file: what was under way, and what went wrong with the recording itself.
 */
const TABLES = `
-- Calls that had begun and not ended when the writer last looked. They stay when their process or thread has ended.
CREATE TABLE in_flight (
  process_id  INTEGER NOT NULL,
  ring        INTEGER NOT NULL,
  call        INTEGER NOT NULL,
  function_id INTEGER NOT NULL,
  started_us  INTEGER NOT NULL,             -- not timed: when the writer first saw it
  timed       INTEGER NOT NULL,             -- 0: started_us is the latest moment at which it can have begun
  trace       INTEGER NOT NULL,
  parent      INTEGER,
  depth       INTEGER,                      -- place on the stack of its thread, 0 outermost; NULL: it had returned a promise or generator
  shape       TEXT,
  args        TEXT,
  PRIMARY KEY (process_id, ring, call)
) STRICT, WITHOUT ROWID;

-- The look itself, one row per thread: how far in_flight is to be trusted.
CREATE TABLE in_flight_looks (
  process_id INTEGER NOT NULL,
  ring       INTEGER NOT NULL,
  looked_us  INTEGER NOT NULL,
  open       INTEGER NOT NULL,              -- calls that had begun and not ended, by the exact totals
  listed     INTEGER NOT NULL,              -- of these, rows of in_flight
  PRIMARY KEY (process_id, ring)
) STRICT, WITHOUT ROWID;

-- Exact totals per second, of the last minutes of each process only.
CREATE TABLE seconds (
  process_id      INTEGER NOT NULL,
  second          INTEGER NOT NULL,         -- Unix seconds in which they were counted
  function_id     INTEGER NOT NULL,         -- 0: all functions that are not listed by themselves
  calls           INTEGER NOT NULL,
  errors          INTEGER NOT NULL,
  timed           INTEGER NOT NULL,
  duration_sum_ns INTEGER NOT NULL,
  PRIMARY KEY (process_id, second, function_id)
) STRICT, WITHOUT ROWID;

-- Times when the event loop of a main thread did not turn. Written while it is stuck.
CREATE TABLE stalls (
  stall_id   INTEGER PRIMARY KEY,
  process_id INTEGER NOT NULL,
  ring       INTEGER NOT NULL,
  started_us INTEGER NOT NULL,              -- last sign of life of the loop
  seen_us    INTEGER NOT NULL,              -- last look that found it stuck
  ended_us   INTEGER,                       -- it turned again; NULL: still stuck, or the process ended so
  looks      INTEGER NOT NULL,              -- looks that found it stuck
  on_cpu     INTEGER                        -- of these, looks that found the thread running; NULL: this system does not tell
) STRICT;
CREATE INDEX stalls_process ON stalls(process_id, stall_id);

-- Monitored calls that stood on the stack of a stalled thread.
CREATE TABLE stall_calls (
  stall_id    INTEGER NOT NULL,
  call        INTEGER NOT NULL,
  function_id INTEGER NOT NULL,
  depth       INTEGER NOT NULL,             -- 0 outermost
  started_us  INTEGER NOT NULL,
  timed       INTEGER NOT NULL,
  trace       INTEGER NOT NULL,
  looks       INTEGER NOT NULL,             -- looks that found it on the stack
  inner_looks INTEGER NOT NULL,             -- of these, looks that found it innermost
  shape       TEXT,
  args        TEXT,
  PRIMARY KEY (stall_id, call)
) STRICT, WITHOUT ROWID;

-- Which bytes of the segments of a thread's error journal are dealt with in this file. Written with what came of them,
-- so that whoever reads the journal again, after a crash or beside another process, goes on exactly there.
CREATE TABLE journal_ranges (
  process_id INTEGER NOT NULL,
  ring       INTEGER NOT NULL,
  segment    INTEGER NOT NULL,
  first      INTEGER NOT NULL,              -- what stands before it went to an earlier file, if there was one
  behind     INTEGER NOT NULL,              -- end of the last entry dealt with
  PRIMARY KEY (process_id, ring, segment)
) STRICT, WITHOUT ROWID;

-- What happened to the recording itself.
CREATE TABLE incidents (
  incident_id INTEGER PRIMARY KEY,
  process_id  INTEGER NOT NULL,
  kind        TEXT NOT NULL,
  started_us  INTEGER NOT NULL,
  ended_us    INTEGER,                      -- NULL: it goes on, or the process ended so
  detail      TEXT NOT NULL
) STRICT;
`

// A file of version 1 may have the view of that time.
const VIEWS = `
DROP VIEW IF EXISTS losses;
CREATE VIEW losses AS
${losses()};

CREATE VIEW open_calls AS
${openCalls()}
${OPEN_CALL_ORDER};

CREATE VIEW died_in_flight AS
${openCalls()}
WHERE p.ending = 'lost'
${OPEN_CALL_ORDER};

CREATE VIEW recent_stalls AS
${STALLS}
${STALL_ORDER};

CREATE VIEW recent_incidents AS
${INCIDENTS}
${INCIDENT_ORDER};
`

export const INCIDENTS_SCHEMA = [TABLES, VIEWS]
