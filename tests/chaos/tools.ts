import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const works = (program: string, ...args: string[]): boolean => spawnSync(program, args).status === 0

/** Tools of the system that fault tests use: how to see whether one does its work here, and who brings it. */
const TOOLS = {
  strace: { package: 'strace', usable: () => works('strace', '-f', '-o', '/dev/null', 'true') },
  prlimit: { package: 'util-linux', usable: () => works('prlimit', '--nofile=64', 'true') },
  mount: { package: 'mount', usable: mayMount },
  faketime: { package: 'faketime', usable: () => works('faketime', '-f', '+1d', 'true') },
} as const

export type Tool = keyof typeof TOOLS

/** Whether this process may mount a file system of its own size. */
function mayMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'callsight-mount-'))
  const mounted = works('mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder)
  if (mounted) works('umount', '-l', folder)
  rmdirSync(folder)
  return mounted
}

/** Why tests of a row were skipped, with what to install; empty when every tool it names does its work. */
export function missingTools(tools: readonly Tool[]): string {
  return tools
    .filter(name => !TOOLS[name].usable())
    .map(name =>
      works('which', name)
        ? `${name} may not be used here (needs privileges)`
        : `${name} is missing (install \`${TOOLS[name].package}\`)`,
    )
    .join('; ')
}
