import { defineConfig } from 'vitest/config'

const shared = {
  // Real processes, real files: a test may wait for a child that has to boot a writer on a busy machine.
  testTimeout: 120_000,
  hookTimeout: 120_000,
  pool: 'forks',
} as const

/** From Node 24 on there is nothing to imitate: see `tests/fixtures/src/entered-context.ts`. */
const followsAsItself = Number(process.versions.node.split('.')[0]) >= 24

export default defineConfig({
  test: {
    // Most of a test's time is waiting for a child process; on two processors one file at a time leaves half of it unused.
    maxWorkers: 2,
    projects: [
      {
        test: {
          ...shared,
          name: 'tests',
          include: ['tests/**/*.test.ts'],
          globalSetup: ['tests/support/build-fixtures.ts'],
        },
      },
      {
        test: {
          ...shared,
          name: 'contexts as from Node 24 on',
          include: followsAsItself ? [] : ['tests/monitor/*.test.ts'],
          setupFiles: ['tests/fixtures/src/entered-context.ts'],
          env: { ENTERED_CONTEXT: 'yes' },
        },
      },
    ],
  },
})
