import { hostname } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { renderCrash } from '../../lib/cli/crash-report.js'
import type { Screen } from '../../lib/cli/screen.js'
import { openStore } from '../../lib/store/read.js'
import { displayWidth } from '../../lib/wording/text.js'
import { hex16, OTHER_BOOT, scratch, T0_MS, TestStore } from '../store-read/fixture.js'
import { callsight } from './child.js'
import { onTerminal } from './terminal.js'

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const clean of cleanups.splice(0).reverse()) clean()
})

function newStore(fill: (made: TestStore) => void = () => {}): string {
  const made = new TestStore(
    join(
      scratch(clean => cleanups.push(clean)),
      'calls.db',
    ),
  )
  fill(made)
  made.close()
  return made.path
}

const WIDE: Screen = {
  width: null,
  isTerminal: false,
  isUtf8: true,
  working: () => {},
  style: (_style, text) => text,
  write: () => {},
  writeError: () => {},
}
const END = T0_MS + 60_804

/** A program that died computing. */
function stalled(made: TestStore): void {
  made.process(2, OTHER_BOOT, { ending: 'lost', lastSeenMs: END, pid: 4711, script: 'desk.ts' })
  made.look(END - 84, { open: 40, listed: 4, process: 2 })
  const stack = { process: 2, trace: 1 }
  made.open({ ...stack, call: 1, atMs: END - 12_600, fn: 'Server.handle', args: '["GET /report"]' })
  made.open({ ...stack, call: 2, atMs: END - 12_590, fn: 'Report.build', depth: 1, parent: 1 })
  made.open({ ...stack, call: 3, atMs: END - 12_484, fn: 'Table.join', depth: 2, shape: '[["array",48211]]' })
  made.open({ process: 2, call: 4, atMs: END - 90_000, fn: 'Feed.open', depth: null, timed: false })
  made.stall({
    process: 2,
    atMs: END - 12_484,
    seenMs: END - 84,
    looks: 100,
    onCpu: 99,
    calls: [
      ['Server.handle', 0, 100, 0],
      ['Report.build', 1, 100, 2],
      ['Table.join', 2, 98, 98],
    ],
  })
  made.error({ process: 2, call: 9, atMs: END - 13_000, fn: 'Http.post', message: 'refused', durationMs: 3 })
  made.second(END - 9_000, 'Orders.place', { calls: 812, errors: 2, sumMs: 1_624, process: 2 })
  made.second(END - 9_000, 'Http.post', { calls: 2, sumMs: 4, process: 2 })
}

describe('callsight crash', () => {
  it('tells in a pipe, line by line, how it ended and what it was doing', () => {
    const path = newStore(stalled)
    const { code, out, err } = callsight(['crash', '--db', path])
    expect([code, err]).toEqual([0, ''])
    const second = (n: number) => `2026-11-20T10:00:${n}.000Z      0       0        -`
    expect(out.replace(/, [^,]* ago$/m, ', <time> ago')).toBe(
      [
        'desk.ts[4711] ended uncleanly',
        'started     2026-11-20T10:00:00.000Z on elsewhere, Node v20',
        'last sign   2026-11-20T10:01:00.804Z, 1 min 01 s after its start, <time> ago',
        'end         Without a last word: it was killed (kill -9, out of memory) or it crashed (abort, native code).',
        'event loop  STALLED: it had not turned for 12.4 s, since 2026-11-20T10:00:48.320Z. Table.join was the innermost monitored call in 98 % of the looks. The thread was on the CPU: it was computing.',
        '',
        'Calls in flight',
        '        AGE  STATE     FUNCTION        ARGUMENTS',
        '     12.5 s  on stack  Server.handle   ["GET /report"]',
        '     12.5 s  on stack    Report.build',
        '     12.4 s  on stack      Table.join  (array 48211)',
        '≥1 min 30 s  pending   Feed.open',
        'The writer last looked 84.0 ms before the last sign of life; what began after that is not listed, and a listed call may have ended since. 4 of 40 open calls are known.',
        'pending: it had returned a promise or a generator that was not done.',
        '≥: not timed, so only how long the writer has known of it.',
        '',
        'Last errors',
        'AT                        CALL              FUNCTION   DURATION  ERROR: MESSAGE',
        `2026-11-20T10:00:47.804Z  ${hex16(9)}  Http.post   3.00 ms  TypeError: refused`,
        'One whole: callsight errors <CALL>',
        '',
        'Last 10 seconds',
        'AT                        CALLS  ERRORS     MEAN  MOST CALLED',
        '2026-11-20T10:00:51.000Z    814       2  2.00 ms  Orders.place (812)',
        ...[52, 53, 54, 55, 56, 57, 58, 59].map(second),
        '2026-11-20T10:01:00.000Z      0       0        -',
        'Counted about once a second, every call: those that ended after the last count are missing.',
        '',
        'Not recorded',
        'Nothing is known to be missing.',
        '',
        'No other process ended uncleanly.',
        '',
      ].join('\n'),
    )
  })

  it('with --json is one object of stable keys, with ISO times', () => {
    const { code, out } = callsight(['crash', '--json', '--db', newStore(stalled)])
    const { rows, coverage } = JSON.parse(out) as { rows: Record<string, unknown>[]; coverage: object }
    expect(code).toBe(0)
    expect(coverage).toMatchObject({ neverEnded: 40, processes: { endedUncleanly: 1 } })
    expect(rows).toHaveLength(1)
    expect(Object.keys(rows[0] ?? {})).toEqual(
      'process boot host nodeVersion state knownBy startedAt lastSeenAt machineStartedAt stall inFlight errors seconds lastCountedAt losses incidents unaccounted journals others otherCount'.split(
        ' ',
      ),
    )
    expect(rows[0]).toMatchObject({
      lastSeenAt: '2026-11-20T10:01:00.804Z',
      inFlight: { open: 40, listed: 4 },
    })
    const none = JSON.parse(callsight(['crash', '--json', '--db', newStore()]).out) as { rows: unknown[] }
    expect(none.rows).toEqual([])
  })

  it('says so when none died, and that calls never ended all the same', async () => {
    const quiet = await onTerminal(['crash', '--db', newStore()], 200)
    expect(quiet).toEqual({
      code: 3,
      err: '',
      out: 'No process ended uncleanly: 1 process ended cleanly, 0 are running.\nAn uncaught error or process.exit is a clean end for the recorder: see callsight errors.\n',
    })
    const hanging = await onTerminal(['crash', '--db', newStore(made => made.look(T0_MS, { open: 3 }))], 200)
    expect(hanging.out).toContain('3 calls of processes that ended cleanly had begun and never ended')
  })

  it('names the others, by what --process takes and tells them apart', async () => {
    const path = newStore(made => {
      for (const id of [2, 3, 4, 5, 6])
        made.process(id, String(id).repeat(16), { ending: 'lost', lastSeenMs: T0_MS + id * 1_000 })
    })
    const { out } = await onTerminal(['crash', '--db', path], 300)
    expect(out).toMatch(
      /^4 other processes ended uncleanly: app\.ts\[105\] \(\S+\), app\.ts\[104\] \(\S+\), app\.ts\[103\] \(\S+\), … · callsight crash --process <name> shows one\.$/m,
    )
    expect((await onTerminal(['crash', '--process', 'app.ts[104]', '--db', path], 300)).out).toMatch(
      /^app\.ts\[104\] /,
    )
    const contained = newStore(made => {
      for (const id of [2, 3, 4])
        made.process(id, String(id).repeat(16), { ending: 'lost', pid: 1, lastSeenMs: T0_MS + id })
    })
    const names = (await onTerminal(['crash', '--db', contained], 300)).out
    expect(names).toContain(`2 other processes ended uncleanly: ${'3'.repeat(16)} (`)
    expect(
      (await onTerminal(['crash', '--process', '2'.repeat(16), '--db', contained, '--json'], 80)).out,
    ).toContain(`"boot":"${'2'.repeat(16)}"`)
  })

  it('says how little is known when that is so', async () => {
    const path = newStore(made => {
      made.process(2, OTHER_BOOT, { ending: 'lost' })
      made.lane(0, 20, 3, {}, 2)
    })
    const { out } = await onTerminal(['crash', '--db', path], 300)
    expect(out).toContain('event loop  Nothing is known of it.')
    expect(out).toContain('Nothing is known of them: the writer had not looked yet.')
    expect(out).toContain('None is stored.')
    expect(out).toContain('Last second\nNo call ended in it.')
    expect(out).toContain('17 records had been made and are neither stored nor counted as lost yet')
    const idle = newStore(made => {
      made.process(2, OTHER_BOOT, { ending: 'lost', lastSeenMs: T0_MS + 90_000 })
      made.look(T0_MS + 88_000, { open: 0, process: 2 })
      made.look(T0_MS + 90_000, { open: 0, process: 2, ring: 1 })
      made.second(T0_MS + 5_000, 'A', { calls: 1, process: 2 })
    })
    const quiet = (await onTerminal(['crash', '--db', idle], 300)).out
    expect(quiet).toContain('No call ended in them. The last ones were counted at 2026-11-20T10:00:05.000Z.')
    expect(quiet).toContain('The writer last looked 0 ms to 2.00 s (depending on the thread) before')
    expect(quiet).toContain('No call was open then.')
    expect(quiet).toContain('It was turning, as far as the writer saw: no stall was under way.')
  })

  it('shows both ends of deep stacks and of long lists, and says how many are between', async () => {
    const path = newStore(made => {
      made.process(2, OTHER_BOOT, { ending: 'lost' })
      made.look(T0_MS, { open: 5_100, listed: 77, process: 2 })
      made.look(T0_MS, { open: 12, process: 2, ring: 3 })
      for (let n = 0; n < 32; n++) made.open({ process: 2, atMs: T0_MS, fn: `outer${n}`, depth: n })
      for (let n = 4_968; n < 5_000; n++) made.open({ process: 2, atMs: T0_MS, fn: `inner${n}`, depth: n })
      for (let n = 0; n < 12; n++)
        made.open({ process: 2, ring: 3, atMs: T0_MS - 50 + n, fn: `g${n}`, depth: null })
    })
    const { out } = await onTerminal(['crash', '--db', path], 300)
    const functions = [...out.matchAll(/^(?:main|3) +.*(?:on stack|pending) +(\S.*)$/gm)].map(
      ([, name]) => name,
    )
    const numbers = (name: string, from: number, count: number) =>
      Array.from({ length: count }, (_, n) => `${name}${from + n}`)
    expect(functions).toEqual([
      ...numbers('outer', 0, 10),
      '… 4,980 between',
      ...numbers('inner', 4_990, 10),
      ...numbers('g', 0, 5),
      '… 2 between',
      ...numbers('g', 7, 5),
    ])
    expect(out).toContain(`46 more are known: callsight crash --process ${OTHER_BOOT} --json`)
    expect(out).toContain('89 of 5,112 open calls are known.')
    for (const width of [40, 80, 120]) {
      const lines = (await onTerminal(['crash', '--db', path], width)).out.split('\n')
      for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(width)
      expect(lines.some(line => line.includes(width < 80 ? 'inn' : 'inner4999'))).toBe(true)
    }
  })

  it('takes nothing for certain of a process of another machine, or of one that says nothing', async () => {
    const path = newStore(made => made.process(2, OTHER_BOOT, { lastSeenMs: END }))
    const copied = (await onTerminal(['crash', '--db', path], 300)).out
    expect(copied).toContain('app.ts[102] has not been heard of\n')
    expect(copied).toContain(
      'Nobody knows: it ran on another machine, elsewhere, and was not heard of since.',
    )
    const silent = newStore(made =>
      made.process(2, OTHER_BOOT, {
        host: hostname(),
        pid: process.pid,
        lastSeenMs: Date.now(),
      }),
    )
    const store = openStore(silent)
    const report = store.crash(OTHER_BOOT)
    store.close()
    if (report === null) throw new Error('there is no report')
    const seenAfter = (ms: number): string => renderCrash(report, Date.now() + ms, WIDE)
    expect(seenAfter(0)).toContain('It is running, as far as can be told.')
    expect(seenAfter(600_000)).toContain('this is another process or another machine of that name.')
  })

  it('of a process that ended cleanly or runs says that', async () => {
    const path = newStore(made => {
      made.process(2, OTHER_BOOT, { host: hostname(), pid: process.pid, lastSeenMs: Date.now() })
    })
    expect((await onTerminal(['crash', '--process', '101', '--db', path], 300)).out).toMatch(
      /^app\.ts\[101\] ended cleanly\n[\s\S]*It handed everything over/,
    )
    expect((await onTerminal(['crash', '--process', String(process.pid), '--db', path], 300)).out).toMatch(
      /has not ended\n[\s\S]*It is running/,
    )
  })
})

describe('callsight stalls', () => {
  const two = (made: TestStore): void => {
    made.process(3, '3'.repeat(16), { host: hostname(), pid: process.pid, lastSeenMs: Date.now() })
    made.stall({
      atMs: T0_MS - 900_000,
      seenMs: T0_MS - 899_000,
      endedMs: T0_MS - 898_700,
      looks: 10,
      onCpu: 1,
      calls: [
        ['Config.reload', 0, 10, 10],
        ['Config.reload', 0, 2, 0],
      ],
    })
    stalled(made)
    made.stall({ process: 3, atMs: END, seenMs: END + 5_000, looks: 9, onCpu: 4 })
  }

  it('are newest first, with blame, what the thread did and how they ended', async () => {
    const path = newStore(two)
    const { code, out } = await onTerminal(['stalls', '--db', path], 120)
    expect(code).toBe(0)
    expect(out.split('\n')).toEqual([
      expect.stringMatching(/^2026-11-20 UTC {2}DURATION {2}END {10}THREAD {4}INNERMOST CALL {7}PROCESS$/),
      expect.stringMatching(
        /^10:01:00\.804Z +5\.00 s {2}STILL STUCK {2}44 % CPU {2}\(none is monitored\) {2}app\.ts/,
      ),
      expect.stringMatching(
        /^10:00:48\.320Z +12\.4 s {2}never {8}on CPU {4}98 % Table\.join {6}desk\.ts\[4711\]$/,
      ),
      '    Server.handle › Report.build › Table.join',
      expect.stringMatching(
        /^09:45:00\.000Z +1\.30 s {2}over {9}waiting {3}100 % Config\.reload {2}app\.ts\[101\]$/,
      ),
      '    Config.reload (2 calls)',
      'Only stalls longer than the configured threshold are recorded, of main threads, while they last.',
      '',
    ])
    const narrow = (await onTerminal(['stalls', '--db', path, '--limit', '2'], 80)).out
    expect(narrow).toContain('    desk.ts[4711]: Server.handle › Report.build › Table.join\n')
    expect(narrow).toContain('Not shown: rows beyond --limit 2. Only stalls longer')
  })

  it('say so when there is none, and with --json are rows of the view', async () => {
    expect((await onTerminal(['stalls', '--db', newStore()], 120)).out).toMatch(
      /^No stalls\.\nOnly stalls longer/,
    )
    const { rows } = JSON.parse((await onTerminal(['stalls', '--json', '--db', newStore(two)], 80)).out)
    expect(rows.map((row: { function: string | null }) => row.function)).toEqual([
      null,
      'Table.join',
      'Config.reload',
    ])
  })
})

describe('every answer', () => {
  it('is not complete when calls never ended, a process died, or a file is gone', async () => {
    const last = async (path: string, command: string) =>
      (await onTerminal([command, '--db', path], 1_000)).out.trimEnd().split('\n').at(-1)
    const open = newStore(made => made.look(T0_MS, { open: 3 }))
    const died = newStore(made => {
      made.process(2, OTHER_BOOT, { ending: 'lost' })
      made.look(T0_MS, { open: 1, process: 2 })
    })
    const gone = newStore(made => made.incident(T0_MS, 'store_set_aside', '/srv/calls.db.corrupt-1'))
    for (const command of ['errors', 'calls', 'top', 'losses']) {
      expect(await last(newStore(), command)).toMatch(/^Complete/)
      expect(await last(open, command)).toBe('Not shown: 3 calls had begun and never ended (view open_calls)')
      expect(await last(died, command)).toMatch(
        /^Not shown: .* · 1 call had begun and never ended \(callsight crash\)$/,
      )
      expect(await last(gone, command)).toBe(
        'Not shown: what was in 1 file that is gone or set aside (callsight losses)',
      )
    }
  })
})

describe('callsight losses', () => {
  it('shows the span, and the file that nobody knows the content of', async () => {
    const path = newStore(made => {
      made.run(
        'INSERT INTO drops VALUES (?, ?, 1, 0, ?, 1204, ?, ?)',
        T0_MS / 60_000,
        made.fn('Quotes.tick'),
        'queue_full',
        T0_MS * 1_000,
        (T0_MS + 28_800) * 1_000,
      )
      made.incident(T0_MS - 60_000, 'store_gone', '/srv/calls.db', T0_MS - 59_000)
    })
    expect((await onTerminal(['losses', '--db', path], 80)).out.split('\n').slice(0, 3)).toEqual([
      'FROM 11-20 UTC  UNTIL          RECORDS  REASON      FUNCTION',
      '10:00:00.000Z   10:00:28.800Z    1,204  queue_full  Quotes.tick',
      '09:59:00.000Z   09:59:01.000Z  unknown  store_gone  (all)',
    ])
    expect(callsight(['losses', '--db', path]).out).toContain('(all)\n    /srv/calls.db\n')
  })
})
