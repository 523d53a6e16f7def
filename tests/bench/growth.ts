/** What a recorded call costs as something grows: its argument, the program's call sites, depth, threads, open calls. */
import type { Growth } from './measured/growth.js'
import type { ThreadsAnswer } from './measured/threads.js'
import { measure } from './support/measured-process.js'
import { answer, type Result, type Row } from './support/program.js'

/** The cost at the largest size as a multiple of that at the smallest. */
async function growth(args: readonly string[], smallest: string, largest: string): Promise<Result> {
  const { nsPerCall, others } = await measure<Growth>('growth', args)
  const costs = Object.entries(nsPerCall).map(([size, ns]) => `${size}: ${ns.toFixed(0)} ns`)
  return {
    unit: 'ratio',
    value: (nsPerCall[largest] as number) / (nsPerCall[smallest] as number),
    detail: costs.join(', '),
    extra: { ...nsPerCall, ...others },
  }
}

async function threads(count: number): Promise<Result> {
  const { storedPerSecond, producedPerSecond, droppedShare, recordingThreads } = await measure<ThreadsAnswer>(
    'threads',
    [String(count)],
  )
  return {
    unit: 'records/s',
    value: storedPerSecond,
    detail: `${recordingThreads} threads seen by the writer, account balanced`,
    extra: { 'produced a second': producedPerSecond, 'dropped, percent': droppedShare * 100 },
  }
}

const rows: Record<string, Row> = {}
for (const kind of ['list of numbers', 'list of objects', 'string', 'typed array', 'object with a list']) {
  rows[`${kind}, 10 M items / 10`] = { run: () => growth(['arguments', kind], '10', '10000000') }
}
rows['call sites, 10,000 / 10'] = { run: () => growth(['sites'], '10', '10000') }
rows['depth of a trace, 1,000 / 1'] = { run: () => growth(['depth'], '1', '1000') }
rows['pending calls, 20,000 / 0'] = {
  run: () => growth(['pending'], '0 pending, async call', '20000 pending, async call'),
}
rows['async call after 20,000 pending ones / before'] = {
  run: () => growth(['pending'], '0 pending, async call', '0 pending, async call, again'),
}
for (const count of [1, 2, 4]) {
  rows[`stored, ${count} flooding thread${count === 1 ? '' : 's'}`] = { run: () => threads(count) }
}
await answer('growth', rows)
