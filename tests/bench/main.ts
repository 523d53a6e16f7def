/**
 * `npm run bench`: what a call costs, as absolute figures and as ratios to two clock reads in the same run.
 * `npm run bench -- --json` prints the rows as JSON; `npm run bench -- <part of a row's name>` runs some of them.
 */
import { execFileSync } from 'node:child_process'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'

interface Row {
  readonly row: string
  readonly unit: 'ns/call' | 'records/s'
  readonly value: number
  readonly detail?: string
}

const ROUNDS = 3
const script = fileURLToPath(new URL('./rows.ts', import.meta.url))

function child(row: string): unknown {
  const output = execFileSync(process.execPath, ['--import', 'tsx', script, row], {
    env: { ...process.env, CALLSIGHT: row === 'off' ? 'off' : 'on' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return JSON.parse(output.toString())
}

const json = process.argv.includes('--json')
const filter = process.argv.slice(2).find(argument => !argument.startsWith('--')) ?? ''
const names = (child('') as string[]).filter(name => name.includes(filter) || name === 'two clock reads')

// Rounds are interleaved, so that a slow minute of the machine falls on all rows alike.
const rounds = Array.from({ length: ROUNDS }, () => names.map(name => child(name) as Row))
const rows = names.map((_, index) => {
  const sorted = rounds.map(round => round[index] as Row).sort((a, b) => a.value - b.value)
  return sorted[sorted.length >>> 1] as Row
})

if (json) {
  process.stdout.write(`${JSON.stringify({ node: process.version, cores: cpus().length, rows }, null, 2)}\n`)
} else {
  const floor = rows.find(({ row }) => row === 'two clock reads')?.value ?? Number.NaN
  process.stdout.write(
    `Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model}, medians of ${ROUNDS} rounds\n\n`,
  )
  for (const { row, unit, value, detail } of rows) {
    const figure =
      unit === 'ns/call' ? `${value.toFixed(1)} ns` : `${Math.round(value).toLocaleString('en')} records/s`
    const ratio = unit === 'ns/call' ? `${(value / floor).toFixed(2)} × two clock reads` : ''
    process.stdout.write(`${row.padEnd(42)}${figure.padStart(22)}   ${ratio}\n`)
    if (detail !== undefined) process.stdout.write(`${' '.repeat(4)}${detail}\n`)
  }
}
