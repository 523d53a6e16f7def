import type { RowReader } from '../read-file.js'
import {
  type IncidentFilter,
  type OpenCallFilter,
  type ProcessFilter,
  type StallFilter,
  text,
  toBounds,
} from './filter.js'
import { type IncidentConditions, incidentsSql, openCallsSql, stallsSql } from './incident-statements.js'
import type { IncidentRow, OpenCallRow, StallRow } from './rows.js'

interface Request {
  readonly conditions: IncidentConditions
  readonly params: Readonly<Record<string, unknown>>
}

type AnyFilter = StallFilter & OpenCallFilter & IncidentFilter

/** What a filter asks for; `span`: the statement has bounds in time. */
function request(filter: AnyFilter, nowMs: number, span: boolean): Request {
  const { sinceUs, untilUs, pattern, limit } = toBounds(filter, nowMs)
  const process = processName(filter)
  const kind = filter.kind === undefined ? null : text('kind', filter.kind)
  return {
    conditions: { pattern: pattern !== null, process: process !== null, kind: kind !== null },
    params: {
      limit,
      ...(span ? { sinceUs, untilUs } : {}),
      ...(pattern === null ? {} : { pattern }),
      ...(process === null ? {} : { process }),
      ...(kind === null ? {} : { kind }),
    },
  }
}

export function processName({ process }: ProcessFilter): string | null {
  return process === undefined ? null : text('process', process)
}

export function readStalls(read: RowReader, filter: StallFilter, nowMs: number): StallRow[] {
  const { conditions, params } = request(filter, nowMs, true)
  return read.all<StallRow>(stallsSql(conditions), params)
}

export function readOpenCalls(read: RowReader, filter: OpenCallFilter, nowMs: number): OpenCallRow[] {
  const { conditions, params } = request(filter, nowMs, false)
  return read.all<OpenCallRow>(openCallsSql(conditions), params)
}

export function readIncidents(read: RowReader, filter: IncidentFilter, nowMs: number): IncidentRow[] {
  const { conditions, params } = request(filter, nowMs, true)
  return read.all<IncidentRow>(incidentsSql(conditions), params)
}
