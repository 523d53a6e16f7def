import type { TraceRow } from './rows.js'

/** A call in its place among those of its trace: `depth` calls above it. */
export interface TreeNode<Row extends TraceRow = TraceRow> {
  readonly row: Row
  readonly depth: number
}

/**
 * Children follow their parent. A row whose parent is not in the store is a root; so is a row that no root leads to,
 * which only a damaged file has: nothing is left out and nothing loops.
 */
export function inTreeOrder<Row extends TraceRow>(rows: readonly Row[]): TreeNode<Row>[] {
  const parents = parentsOf(rows)
  const children = new Map<Row, Row[]>()
  for (const [row, parent] of parents) {
    const siblings = children.get(parent)
    if (siblings === undefined) children.set(parent, [row])
    else siblings.push(row)
  }
  const placed = new Set<Row>()
  const order: TreeNode<Row>[] = []
  const place = (root: Row) => {
    const open: TreeNode<Row>[] = [{ row: root, depth: 0 }]
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      if (placed.has(node.row)) continue
      placed.add(node.row)
      order.push(node)
      const depth = node.depth + 1
      for (const row of (children.get(node.row) ?? []).toReversed()) open.push({ row, depth })
    }
  }
  for (const row of rows) if (!parents.has(row)) place(row)
  for (const row of rows) place(row)
  return order
}

/** A call id is unique within its process; only where that has no such call was the caller another program. */
export function parentsOf<Row extends TraceRow>(rows: readonly Row[]): Map<Row, Row> {
  const keyOf = (process: string, call: string) => `${call} ${process}`
  const inProcess = new Map(rows.map(row => [keyOf(row.process, row.call_id), row]))
  const anywhere = new Map(rows.map(row => [row.call_id, row]))
  const parents = new Map<Row, Row>()
  for (const row of rows) {
    if (row.parent_id === null) continue
    const parent = inProcess.get(keyOf(row.process, row.parent_id)) ?? anywhere.get(row.parent_id)
    if (parent !== undefined) parents.set(row, parent)
  }
  return parents
}
