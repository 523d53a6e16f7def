import { existsSync, readFileSync, readlinkSync } from 'node:fs'

/** Field 22 of /proc/<pid>/stat, counted behind the command name, which may contain anything. */
const START_TIME_FIELD = 19

/**
 * Start of a process in clock ticks since the machine booted; together with the pid it names a process for ever.
 * 0 where the system does not say (it does on Linux).
 */
export function startTicks(pid: number | 'self'): number {
  try {
    return readTicks(`/proc/${pid}/stat`)
  } catch {
    return 0
  }
}

function readTicks(path: string): number {
  const stat = readFileSync(path, 'latin1')
  const ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[START_TIME_FIELD])
  return Number.isFinite(ticks) ? ticks : 0
}

/** Whether the process that had this pid and start is still running. When in doubt, it is. */
export function isAlive(pid: number, ticks: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
  const now = startTicks(pid)
  return ticks === 0 || now === 0 || now === ticks
}

/** Clock ticks of `/proc` per second: 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100

/** When the process that has this pid now was started; `null` where the system does not say. */
export function startedUnixUs(pid: number): number | null {
  const ticks = startTicks(pid)
  if (ticks === 0) return null
  try {
    const bootSeconds = Number(/^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'latin1'))?.[1])
    return Number.isFinite(bootSeconds) ? (bootSeconds + ticks / TICKS_PER_SECOND) * 1e6 : null
  } catch {
    return null
  }
}

/** A thread of this process as the system knows it. Where the system does not say (it does on Linux) both are 0. */
export interface NativeThread {
  readonly id: number
  readonly startTicks: number
}

const UNKNOWN_THREAD: NativeThread = { id: 0, startTicks: 0 }
const threadStat = (id: number): string => `/proc/self/task/${id}/stat`

/** The thread that calls this. */
export function nativeThread(): NativeThread {
  try {
    const id = Number(/\/task\/(\d+)$/.exec(readlinkSync('/proc/thread-self'))?.[1])
    const ticks = readTicks(threadStat(id))
    return ticks === 0 ? UNKNOWN_THREAD : { id, startTicks: ticks }
  } catch {
    return UNKNOWN_THREAD
  }
}

/** Whether it is certain that a thread of this process has ended: then it writes nothing any more, nowhere. */
export function isThreadGone({ id, startTicks }: NativeThread): boolean {
  if (id === 0) return false
  try {
    return readTicks(threadStat(id)) !== startTicks
  } catch (error) {
    // Out of descriptors, say, nothing is certain; and neither is it when all of /proc has gone.
    const { code } = error as NodeJS.ErrnoException
    return (code === 'ENOENT' || code === 'ESRCH') && existsSync('/proc/self/task')
  }
}
