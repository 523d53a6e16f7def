import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    globalSetup: ['tests/support/build-fixtures.ts'],
    // Real processes, real files: a test may wait for a child that has to boot a writer on a busy machine.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // Most of a test's time is waiting for a child process; on two processors one file at a time leaves half of it unused.
    maxWorkers: 2,
  },
})
