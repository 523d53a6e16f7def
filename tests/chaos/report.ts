import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { ROOT } from './run-tests.js'

export const REPORT = join(ROOT, 'memory-bank/reliability.md')

/** Sections of the report, in order; each is written by a run of its own and has the date of that run. */
const SECTIONS = ['Fault matrix', 'Soak', 'Exit delay', 'Protective measures'] as const
export type Section = (typeof SECTIONS)[number]

const HEAD = `# Reliability

Written by \`npm run chaos\`: every fault is brought about for real (processes killed, disks filled, files damaged), a
program under test keeps a log of what it has seen, and a checker compares that log with the store by SQL alone. The
equation is \`produced = stored + Σ dropped[reason]\` for each ring and lane, read from the store file.

\`npm run chaos -- --row 3 --seed 7\` repeats one row with one seed, \`-- --short\` runs short forms, \`-- --write\`
writes this page.
`

/** Processor, memory, system and Node, without anything that names this one machine. */
export function machineClass(): string {
  const model = (cpus()[0]?.model ?? 'unknown processor').replace(/\((R|TM)\)|@.*$/g, '').replace(/\s+/g, ' ')
  const memoryGiB = Math.round(totalmem() / 2 ** 30)
  return `${cpus().length} × ${model.trim()}, ${memoryGiB} GiB, ${system()}, Node ${process.versions.node}`
}

function system(): string {
  try {
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? process.platform
  } catch {
    return process.platform
  }
}

/** Date and machine class: the line under the heading of each section. */
export const stamp = (how: string): string =>
  `${new Date().toISOString().slice(0, 10)}, ${machineClass()}. ${how}`

/** Puts these sections into the report and leaves the others as they are. */
export function writeSections(sections: Partial<Record<Section, string>>): void {
  const before = existsSync(REPORT) ? sectionsOf(readFileSync(REPORT, 'utf8')) : new Map<string, string>()
  const parts = SECTIONS.flatMap(name => {
    const text = sections[name] ?? before.get(name)
    return text === undefined ? [] : [`## ${name}\n\n${text.trim()}\n`]
  })
  writeFileSync(REPORT, [HEAD, ...parts].join('\n'))
}

/** The sections of a report by their headings. */
export function sectionsOf(text: string): Map<string, string> {
  return new Map(
    text
      .split(/^## /m)
      .slice(1)
      .map(part => {
        const end = part.indexOf('\n')
        return [part.slice(0, end), part.slice(end + 1).trim()] as const
      }),
  )
}
