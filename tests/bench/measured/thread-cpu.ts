import { readFileSync } from 'node:fs'

/** CPU time of the main thread; unlike the clock it stands still while another process has the processor. */
export function threadCpuMs(): number | null {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'latin1').split(' ')[0]) / 1e6
  } catch {
    return null
  }
}
