import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it, onTestFinished } from 'vitest'
import { hasTaskEnded, isThreadGone, nativeThread, startTicks } from '../../lib/queue/process-identity.js'

describe.runIf(existsSync('/proc/self/task'))('a task of the system', () => {
  it('has ended from the moment it cannot run any more, although its entry is still there', async () => {
    // What takes the place of the shell does not know of its child, which therefore keeps its entry when it has ended.
    const parent = spawn('sh', ['-c', 'exec 3<&0; cat <&3 & echo $!; exec sleep 600'])
    onTestFinished(() => void parent.kill('SIGKILL'))
    const pid = Number(await new Promise<Buffer>(resolve => parent.stdout.once('data', resolve)))
    const isShell = (): boolean => readFileSync(`/proc/${parent.pid}/comm`, 'latin1') !== 'sleep\n'
    await expect.poll(isShell, { timeout: 60_000 }).toBe(false)
    const stat = `/proc/${pid}/stat`
    const ticks = startTicks(pid)
    expect(hasTaskEnded(stat, ticks)).toBe(false)
    expect(hasTaskEnded(stat, ticks + 1), 'another task has the number by now').toBe(true)
    parent.stdin.end()
    await expect.poll(() => hasTaskEnded(stat, ticks), { timeout: 60_000 }).toBe(true)
    expect(startTicks(pid), 'its entry is still there').toBe(ticks)
  })

  it('lives as long as the thread that asks', () => {
    const own = nativeThread()
    expect(own.id).toBeGreaterThan(0)
    expect(isThreadGone(own)).toBe(false)
    expect(isThreadGone({ ...own, startTicks: own.startTicks + 1 })).toBe(true)
    expect(isThreadGone({ id: 2 ** 22 + 1, startTicks: 1 }), 'no thread has this number').toBe(true)
  })
})
