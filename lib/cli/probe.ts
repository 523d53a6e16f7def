import { loadDriver } from '../store/driver.js'
import { ReadFile } from '../store/read-file.js'

/**
 * Runs in a process of its own, started by `doctor`: a broken native binding may crash the process that loads it, and
 * an integrity check may take longer than anyone wants to wait. Prints what it found, one finding per line.
 */
const path = process.argv[2]
if (path === undefined) {
  const driver = loadDriver()
  const db = new driver(':memory:')
  const rows = db.prepare('SELECT sqlite_version() AS version').all()
  process.stdout.write(`${(rows[0] as { version: string }).version}\n`)
} else {
  const file = ReadFile.open(path)
  try {
    for (const row of file.all<{ quick_check: string }>('PRAGMA quick_check(5)', {})) {
      process.stdout.write(`${row.quick_check}\n`)
    }
  } finally {
    file.close()
  }
}
