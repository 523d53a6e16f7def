import { existsSync, readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/** Fields 9, 14, 15 and 22 of /proc/<pid>/stat, counted behind the command name, which may contain anything. */
const FLAGS_FIELD = 6
/** Ticks on a processor, in the program and in the kernel. */
const USER_TIME_FIELD = 11
const SYSTEM_TIME_FIELD = 12
const START_TIME_FIELD = 19
/** PF_EXITING of Linux: the task is being taken down inside the kernel and never returns to its program. */
const EXITING_FLAG = 0x4

/**
 * Start of a process in clock ticks since the machine booted; together with the pid it names a process for ever.
 * 0 where the system does not say (it does on Linux).
 */
export function startTicks(pid: number | 'self'): number {
  try {
    return readTask(`/proc/${pid}/stat`).startTicks
  } catch {
    return 0
  }
}

function statFields(statPath: string): string[] {
  const stat = readFileSync(statPath, 'latin1')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

function readTask(statPath: string): { startTicks: number; exiting: boolean } {
  const fields = statFields(statPath)
  const ticks = Number(fields[START_TIME_FIELD])
  return {
    startTicks: Number.isFinite(ticks) ? ticks : 0,
    exiting: (Number(fields[FLAGS_FIELD]) & EXITING_FLAG) !== 0,
  }
}

/** Where a pid means something: one running kernel, and one pid namespace in it. 0 = the system does not say. */
export interface PidSpace {
  /** The first 48 bits of the random id a Linux kernel takes at each start. */
  readonly kernel: number
  /** Number of the pid namespace, as in `/proc/self/ns/pid`. */
  readonly namespace: number
}

const UNKNOWN_PID_SPACE: PidSpace = { kernel: 0, namespace: 0 }
const BOOT_ID_HEX_DIGITS = 12

let ownPidSpace: PidSpace | null = null

/** The pid space this process lives in. */
export function pidSpace(): PidSpace {
  ownPidSpace ??= readPidSpace()
  return ownPidSpace
}

function readPidSpace(): PidSpace {
  try {
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').replace(/-/g, '')
    const kernel = Number.parseInt(bootId.slice(0, BOOT_ID_HEX_DIGITS), 16)
    const namespace = Number(/^pid:\[(\d+)\]$/.exec(readlinkSync('/proc/self/ns/pid'))?.[1])
    const known = kernel > 0 && namespace > 0 && namespace < 2 ** 32
    return known ? { kernel, namespace } : UNKNOWN_PID_SPACE
  } catch {
    return UNKNOWN_PID_SPACE
  }
}

/** A process as it is named in what it leaves behind. */
export interface ProcessName {
  readonly pid: number
  /** 0 = unknown. */
  readonly startTicks: number
  /** Absent in what was written before there was one, or where the system does not say. */
  readonly pidSpace?: PidSpace
}

/**
 * Whether a process still runs. `elsewhere`: it ran under another kernel or in another pid namespace, on another
 * machine, say, or in another container: no pid seen from here tells anything about it.
 */
export function lifeOf({ pid, startTicks, pidSpace: space = UNKNOWN_PID_SPACE }: ProcessName): Life {
  const here = pidSpace()
  const comparable = space.kernel !== 0 && here.kernel !== 0
  if (comparable && (space.kernel !== here.kernel || space.namespace !== here.namespace)) return 'elsewhere'
  return isAlive(pid, startTicks) ? 'alive' : 'dead'
}
export type Life = 'alive' | 'dead' | 'elsewhere'

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

/** Name of this machine; empty where the system does not say. */
export function hostName(): string {
  try {
    return hostname()
  } catch {
    return ''
  }
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
    const { startTicks } = readTask(threadStat(id))
    return startTicks === 0 ? UNKNOWN_THREAD : { id, startTicks }
  } catch {
    return UNKNOWN_THREAD
  }
}

/** Processor time that a thread of this process has taken, to a hundredth of a second; `null` where the system does not say. */
export function threadCpuMs({ id }: NativeThread): number | null {
  if (id === 0) return null
  try {
    const fields = statFields(threadStat(id))
    const ticks = Number(fields[USER_TIME_FIELD]) + Number(fields[SYSTEM_TIME_FIELD])
    return Number.isFinite(ticks) ? (ticks * 1000) / TICKS_PER_SECOND : null
  } catch {
    return null
  }
}

/** Whether it is certain that a thread of this process has ended: then it writes nothing any more, nowhere. */
export function isThreadGone({ id, startTicks }: NativeThread): boolean {
  if (id === 0) return false
  try {
    return hasTaskEnded(threadStat(id), startTicks)
  } catch (error) {
    // Out of descriptors, say, nothing is certain; and neither is it when all of /proc has gone.
    const { code } = error as NodeJS.ErrnoException
    return (code === 'ENOENT' || code === 'ESRCH') && existsSync('/proc/self/task')
  }
}

/**
 * Whether the task that began then runs none of its program any more. Who waited for a thread is told before its
 * entry in /proc is gone, on a busy machine long before.
 *
 * @throws when there is no such entry, or it cannot be read
 */
export function hasTaskEnded(statPath: string, startTicks: number): boolean {
  const found = readTask(statPath)
  return found.startTicks !== startTicks || found.exiting
}

/** Whether a thread of this process is on a processor or waits for one, `null` where the system does not say. */
export function isThreadRunning(id: number): boolean | null {
  try {
    const stat = readFileSync(threadStat(id), 'latin1')
    return stat[stat.lastIndexOf(')') + 2] === 'R'
  } catch {
    return null
  }
}
