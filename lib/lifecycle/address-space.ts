import { readFileSync } from 'node:fs'

const MIB = 2 ** 20
/**
 * Address space to be free before a thread is started. On Node 20 recording has taken up to 930 MiB of it when the first
 * records are stored, most of that for the heap and the code of the writer thread; when V8 does not get it, it ends the
 * whole process.
 */
const THREAD_BYTES = 1_024 * MIB

/**
 * Why there is no room for the writer thread and for `more` bytes of shared memory; `null`: there is, or the system
 * does not say. Only a limit set on this process, such as by `ulimit -v`, makes address space scarce.
 */
export function addressSpaceShortage(more = 0): string | null {
  const limit = read('/proc/self/limits', /^Max address space +(\d+) /m)
  if (limit === null) return null
  const needed = THREAD_BYTES + more
  const left = limit - usedBytes()
  if (left >= needed) return null
  return (
    `the address space of this process is limited to ${mib(limit)} MiB, of which ${mib(left)} are left and ` +
    `${mib(needed)} are needed; raise the limit (ulimit -v)`
  )
}

function usedBytes(): number {
  return (read('/proc/self/status', /^VmSize:\s+(\d+) kB$/m) ?? 0) * 1024
}

function read(path: string, pattern: RegExp): number | null {
  try {
    const found = pattern.exec(readFileSync(path, 'latin1'))?.[1]
    return found === undefined ? null : Number(found)
  } catch {
    return null
  }
}

const mib = (bytes: number): number => Math.max(0, Math.floor(bytes / MIB))
