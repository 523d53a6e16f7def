import { IS_INDEXED, ORDERED_ROOT_SAMPLE } from './root-sql.js'

/**
 * Version 4 of the file: roots in the order of their numbers are found by their neighbours, and take no entry in the
 * index of traces. Rows of earlier versions keep theirs.
 *
 * @param recentCalls the view; an earlier version shows such a root under trace 0
 */
export const rootsSchema = (recentCalls: string): readonly string[] => [
  `
DROP INDEX calls_trace;
CREATE INDEX calls_trace ON calls(trace) WHERE ${IS_INDEXED('')};

-- About one root in order of 61, of each process and thread.
CREATE INDEX calls_ordered_root ON calls(process_id, call) WHERE ${ORDERED_ROOT_SAMPLE('')};
`,
  `DROP VIEW recent_calls; ${recentCalls}`,
]
