import type { CallRow, ErrorRow } from '../../../store/queries/rows.js'
import { argumentsText } from '../../../wording/shape.js'
import { formatDuration } from '../data/figures.js'
import { linkTo } from '../data/place.js'
import { type Column, Table } from './table.js'
import { Captured, callHref, FunctionLink, Moment, segment, TraceLink } from './text.js'

const keyOf = (row: { readonly call_id: string; readonly process: string }): string =>
  `${row.call_id} ${row.process}`

interface Props<Row> {
  readonly caption: string
  readonly rows: readonly Row[]
  /** Of one function the name is left out. */
  readonly hasFunction?: boolean
}

const AT: Column<CallRow | ErrorRow> = {
  key: 'at',
  header: 'Ended',
  kind: 'short',
  cell: row => <Moment iso={row.at} />,
}
const FUNCTION: Column<CallRow | ErrorRow> = {
  key: 'function',
  header: 'Function',
  cell: row => <FunctionLink name={row.function} />,
}
const DURATION: Column<CallRow | ErrorRow> = {
  key: 'duration',
  header: 'Duration',
  kind: 'number',
  cell: row => formatDuration(row.duration_ms),
}
const ARGUMENTS: Column<CallRow | ErrorRow> = {
  key: 'arguments',
  header: 'Arguments',
  kind: 'main',
  cell: row => <Captured text={argumentsText(row).slice(0, 200)} />,
  isWide: true,
}
const TRACE: Column<CallRow | ErrorRow> = {
  key: 'trace',
  header: 'Trace',
  kind: 'short',
  cell: row => <TraceLink id={row.trace_id}>{`…${row.trace_id.slice(-6)}`}</TraceLink>,
  isWide: true,
}
const CALL: Column<CallRow> = {
  key: 'call',
  header: 'Call',
  kind: 'short',
  cell: row => (
    <a class={row.outcome === 'error' ? 'outcome bad' : 'outcome'} href={callHref(row)}>
      {row.outcome === 'error' ? 'error' : 'ok'}
      <span class="sr"> call {row.call_id}</span>
    </a>
  ),
}
const KEPT: Column<CallRow> = {
  key: 'recorded',
  header: 'Recorded',
  kind: 'short',
  cell: row => <span class="quiet">{row.recorded}</span>,
  isWide: true,
}
const ERROR: Column<ErrorRow> = {
  key: 'error',
  header: 'Error',
  cell: row => (
    <a class="bad" href={linkTo(`/error/${segment(row.call_id)}`)}>
      <Captured text={`${row.error}: ${row.message}`.slice(0, 300)} />
    </a>
  ),
}

/** Recorded calls, each with a way to what is known of it. */
export function CallTable({ caption, rows, hasFunction = true }: Props<CallRow>) {
  const columns = [AT, CALL, ...(hasFunction ? [FUNCTION] : []), DURATION, ARGUMENTS, KEPT, TRACE]
  return <Table caption={caption} rows={rows} rowKey={keyOf} columns={columns} />
}

/** Failed calls, each with a way to its stack. */
export function ErrorTable({ caption, rows, hasFunction = true }: Props<ErrorRow>) {
  const columns = [AT, ...(hasFunction ? [FUNCTION] : []), ERROR, DURATION, ARGUMENTS, TRACE]
  return <Table caption={caption} rows={rows} rowKey={keyOf} columns={columns} />
}
