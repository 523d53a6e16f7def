#!/usr/bin/env node
import { run } from './program.js'
import { processScreen } from './screen.js'

// `callsight errors | head` closes the pipe early: that is the end of the work, not a failure.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
}

run(process.argv.slice(2), processScreen()).then(code => {
  process.exitCode = code
})
