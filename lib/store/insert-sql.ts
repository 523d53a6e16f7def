import type { Database, Statement } from './driver.js'
import { ID_SQL } from './row-ids.js'

const SQL = {
  begin: 'BEGIN IMMEDIATE',
  commit: 'COMMIT',
  rollback: 'ROLLBACK',
  registerProcess: `INSERT INTO processes (boot, pid, script, host, node_version, version, started_us, last_seen_us)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (boot) DO UPDATE SET last_seen_us = max(last_seen_us, excluded.last_seen_us)`,
  processId: 'SELECT process_id FROM processes WHERE boot = ?',
  touchProcess: 'UPDATE processes SET last_seen_us = max(last_seen_us, ?) WHERE process_id = ?',
  endProcess: 'UPDATE processes SET ended_us = ?, ending = ? WHERE process_id = ?',
  addFunction: 'INSERT INTO functions (name) VALUES (?) ON CONFLICT (name) DO NOTHING',
  functionId: 'SELECT function_id FROM functions WHERE name = ?',
  error: `INSERT INTO errors VALUES (${ID_SQL}, ?, ?, ?, ?, ?, ?, ?, ?, ?, CAST(? AS TEXT),
    CAST(? AS TEXT), ?, ?, ?, CAST(? AS TEXT), ?, ?) ON CONFLICT (process_id, ring, seq) DO NOTHING`,
  remoteTrace: 'INSERT OR IGNORE INTO remote_traces VALUES (?, ?, ?, ?, ?)',
  lane: `INSERT INTO lanes VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
    produced = excluded.produced, stored = excluded.stored, dropped = excluded.dropped,
    stored_seq = excluded.stored_seq`,
  laneState: `SELECT stored, stored_seq AS storedSeq FROM lanes WHERE process_id = ? AND ring = ? AND lane = ?`,
  buckets: 'SELECT buckets FROM totals WHERE minute = ? AND function_id = ? AND process_id = ?',
  totals: `INSERT INTO totals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
    calls = calls + excluded.calls, errors = errors + excluded.errors, kept = kept + excluded.kept,
    timed = timed + excluded.timed, duration_sum_ns = duration_sum_ns + excluded.duration_sum_ns,
    duration_max_ns = max(duration_max_ns, excluded.duration_max_ns), buckets = excluded.buckets`,
  drops: `INSERT INTO drops VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
    count = count + excluded.count, first_us = min(first_us, excluded.first_us),
    last_us = max(last_us, excluded.last_us)`,
  functionsOfSecond: 'SELECT function_id FROM seconds WHERE process_id = ? AND second = ?',
  second: `INSERT INTO seconds VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
    calls = calls + excluded.calls, errors = errors + excluded.errors, timed = timed + excluded.timed,
    duration_sum_ns = duration_sum_ns + excluded.duration_sum_ns`,
  deleteSeconds: 'DELETE FROM seconds WHERE process_id = ? AND second < ?',
  reported: 'SELECT counters FROM reported WHERE process_id = ? AND ring = ? AND site = ?',
  setReported: `INSERT INTO reported VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET counters = excluded.counters`,
  journalRange: 'SELECT first, behind FROM journal_ranges WHERE process_id = ? AND ring = ? AND segment = ?',
  addJournalRange: `INSERT INTO journal_ranges VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
    first = CASE WHEN excluded.first > behind THEN excluded.first ELSE min(first, excluded.first) END,
    behind = max(behind, excluded.behind)`,
  incident: 'INSERT INTO incidents (process_id, kind, started_us, ended_us, detail) VALUES (?, ?, ?, ?, ?)',
  endIncident: 'UPDATE incidents SET ended_us = ? WHERE incident_id = ?',
} as const
export type Statements = { readonly [name in keyof typeof SQL]: Statement }

/** Prepares all of them at once; they live as long as the writer. */
export function prepareAll(db: Database): Statements {
  const entries = Object.entries(SQL).map(([name, sql]) => [name, db.prepare(sql)])
  const statements = Object.fromEntries(entries) as Statements
  for (const name of ['processId', 'functionId', 'buckets', 'reported', 'functionsOfSecond'] as const)
    statements[name].pluck()
  return statements
}
