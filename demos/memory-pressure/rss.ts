import { readFileSync, writeFileSync } from 'node:fs'

export interface PeakRss {
  /** How far resident memory has risen above its level at the start, in bytes, at its highest. */
  grownBytes(): number
}

/** Linux keeps the peak and lets a process reset its own; elsewhere the peak of the whole run has to do. */
export function peakRss(): PeakRss {
  const canReset = resetPeak()
  const startBytes = canReset ? process.memoryUsage.rss() : maxRssBytes()
  return { grownBytes: () => Math.max(0, (canReset ? (linuxPeakBytes() ?? 0) : maxRssBytes()) - startBytes) }
}

const maxRssBytes = (): number => process.resourceUsage().maxRSS * 1024

function resetPeak(): boolean {
  try {
    writeFileSync('/proc/self/clear_refs', '5')
    return linuxPeakBytes() !== null
  } catch {
    return false
  }
}

function linuxPeakBytes(): number | null {
  const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))
  return line === null ? null : Number(line[1]) * 1024
}
