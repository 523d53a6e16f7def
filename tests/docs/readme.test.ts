import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const BLOCK = /^```(\w+)(?: (\S+))?\n([\s\S]*?)^```$/gm
const blocks = [...readme.matchAll(BLOCK)].map(([, language, name, code]) => ({
  language: language ?? '',
  name: name ?? '',
  code: code ?? '',
}))
const blockOf = (language: string, containing: string): string => {
  const found = blocks.find(block => block.language === language && block.code.includes(containing))
  if (found === undefined) throw new Error(`the README has no ${language} block with "${containing}"`)
  return found.code
}

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'callsight-readme-'))
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(root, join(folder, 'node_modules', 'callsight'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function run(file: string, code: string): void {
  writeFileSync(join(folder, file), code)
  execFileSync(process.execPath, ['--import', join(root, 'node_modules/tsx/dist/loader.mjs'), file], {
    cwd: folder,
    env: { ...process.env, NODE_OPTIONS: '' },
  })
}

/** Times and ids differ from run to run; everything else the README shows must be what is printed. */
const stable = (text: string): string =>
  text
    .replace(/\d{4}-\d{2}-\d{2}T[\d:.]+Z/g, '<at>')
    .replace(/\b[0-9a-f]{16}\b/g, '<call>')
    .replace(/ +[\d.]+ [µm]?s\b/g, ' <duration>')
    .trim()

describe('README', () => {
  it('shows on its first screen what its eight lines print', () => {
    const call = /`place\((\{.*?\})\)`/.exec(readme)?.[1]
    const code = `${blockOf('ts', 'class Orders')}\ntry { new Orders().place(${call}) } catch {}\n`
    run('orders.ts', code)
    const shown = blockOf('console', 'npx callsight errors')
    const [cli, sql] = shown.split('\n\n')
    const printed = execFileSync(process.execPath, [join(root, 'dist/cli/main.js'), 'errors'], {
      cwd: folder,
      env: { ...process.env, NO_COLOR: '1', COLUMNS: '120', LC_ALL: 'C.UTF-8' },
    }).toString()
    expect(stable(printed)).toBe(stable(cli?.replace(/^\$.*\n/, '') ?? ''))
    const [command = '', ...output] = (sql ?? '').trim().split('\n')
    const query = /"(.*)"/.exec(command)?.[1] ?? ''
    const rows = execFileSync(process.execPath, [join(root, 'dist/cli/main.js'), 'sql', query, '--json'], {
      cwd: folder,
    }).toString()
    const values = (JSON.parse(rows) as { rows: Record<string, string>[] }).rows.map(row =>
      Object.values(row).join('|'),
    )
    expect(values).toEqual(output)
  })

  it('names every column of the views, in their order', () => {
    const rows = execFileSync(
      process.execPath,
      [
        join(root, 'dist/cli/main.js'),
        'sql',
        '--json',
        `SELECT m.name AS view, group_concat(c.name, ', ') AS columns
           FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'view' GROUP BY m.name`,
      ],
      { cwd: folder },
    ).toString()
    const views = (JSON.parse(rows) as { rows: { view: string; columns: string }[] }).rows
    expect(views).toHaveLength(8)
    for (const { view, columns } of views) expect(readme).toContain(`| \`${view}\` | \`${columns}\` |`)
  })

  const programs = blocks.filter(({ name, language }) => name !== '' && /^(ts|js)$/.test(language))
  it.each(programs)('$name runs as it stands', ({ name, code }) => {
    const target = code.replace('/var/lib/desk', join(folder, 'desk'))
    run(name, target)
  })

  it('its TypeScript compiles against the public types', () => {
    const files = programs.filter(({ language }) => language === 'ts').map(({ name }) => name)
    const compiled = spawnSync(
      process.execPath,
      [
        join(root, 'node_modules/typescript/bin/tsc'),
        ...['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', '--skipLibCheck'],
        ...['--lib', 'es2023,esnext.disposable,esnext.decorators', '--types', 'node'],
        ...['--typeRoots', join(root, 'node_modules/@types')],
        ...files,
      ],
      { cwd: folder },
    )
    expect(compiled.stdout.toString()).toBe('')
    expect(compiled.status).toBe(0)
  })

  it('names every default as the code has it', async () => {
    const { DEFAULTS } = await import('../../lib/config/defaults.js')
    const { SECRET_NAMES } = await import('../../lib/serialize/secret-names.js')
    const { limits } = DEFAULTS
    expect(readme).toContain(`About ${Math.round(SECRET_NAMES.length / 10) * 10} names`)
    expect(readme).toContain(
      `${limits.fields} fields, ${limits.items} items, ${limits.stringLength} characters`,
    )
    expect(readme).toContain(`lists over ${limits.listItems.toLocaleString('en')} items`)
    expect(limits.depth).toBe(3)
    expect(DEFAULTS.retentionMs).toBe(6 * 3_600_000)
    expect(DEFAULTS.site.slowMs).toBe(1_000)
    expect(DEFAULTS.exitTimeoutMs).toBe(2_000)
  })
})
