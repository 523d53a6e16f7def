import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { run } from '../../lib/cli/program.js'
import { processScreen } from '../../lib/cli/screen.js'
import { scratch, T0_MS, TestStore } from '../store-read/fixture.js'

it('an answer longer than a text can be is said in one line, without a stack', async () => {
  const made = new TestStore(join(scratch(onTestFinished), 'calls.db'))
  onTestFinished(() => made.close())
  made.call({ atMs: T0_MS })
  let err = ''
  const screen = {
    ...processScreen(),
    write: () => void 'x'.repeat(2 ** 29 - 24).concat('x'),
    writeError: (text: string) => void (err += text),
  }
  expect(await run(['calls', '--db', made.path], screen)).toBe(2)
  expect(err).toBe('callsight: The answer is longer than a text can be. Take less: --limit, --since.\n')
})
