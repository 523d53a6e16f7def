import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run } from './process.js'
import { filesIn, type Manifest, pack, REPOSITORY, readManifest, unpack } from './tarball.js'

const STATIC_IMPORT = /^(?:import\s*|(?:import|export|\})[^'"\n]*?\sfrom\s*)['"]([^'"\n]+)['"]/gm
const CALLED_IMPORT = /\b(?:import|require)\(['"]([^'"\n]+)['"]\)/g
const FILE_URL = /new URL\(['"](\.[^'"\n]+)['"], import\.meta\.url\)/g

describe('the published package', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'callsight-tarball-'))
  let tarball = ''
  let folder = ''
  let files: string[] = []
  let manifest: Manifest

  beforeAll(async () => {
    tarball = await pack(scratch)
    folder = await unpack(tarball, scratch)
    files = filesIn(folder)
    manifest = readManifest(folder)
  })
  afterAll(() => rmSync(scratch, { recursive: true, force: true }))

  const read = (file: string): string => readFileSync(join(folder, file), 'utf8')
  const code = (): string[] => files.filter(file => /\.(?:d\.ts|js)$/.test(file))

  it('holds the compiled library and its four documents, and nothing else', () => {
    const documents = files.filter(file => !file.startsWith('dist/'))
    expect(documents).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'])
  })

  it('ships no tests and no sources', () => {
    const unwanted = /(?:^|\/)(?:tests?|fixtures|\.build)\/|\.test\.|(?<!\.d)\.[cm]?tsx?$|\.tsbuildinfo$/
    expect(files.filter(file => unwanted.test(file))).toEqual([])
  })

  it('has every file its package.json points to', () => {
    const targets = Object.values(manifest.exports).flatMap(entry =>
      typeof entry === 'string' ? [entry] : Object.values(entry),
    )
    const named = [manifest.main, manifest.types, ...targets, ...Object.values(manifest.bin)]
    expect(named.length).toBeGreaterThan(4)
    expect(named.filter(file => !existsSync(join(folder, file)))).toEqual([])
  })

  it('starts its command line by node', () => {
    expect(read(manifest.bin['callsight']!)).toMatch(/^#!\/usr\/bin\/env node\n/)
  })

  it('imports only files it ships', () => {
    const missing = code().flatMap(file =>
      importsOf(read(file))
        .filter(target => target.startsWith('.'))
        .filter(target => !existsSync(join(folder, dirname(file), asShipped(file, target))))
        .map(target => `${file} -> ${target}`),
    )
    expect(missing).toEqual([])
  })

  it('imports only packages it declares', () => {
    const declared = new Set([
      ...Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }),
      ...builtinModules.map(name => `node:${name}`),
    ])
    const undeclared = code()
      .filter(file => file.endsWith('.js'))
      .flatMap(file => importsOf(read(file)).map(target => [file, target] as const))
      .filter(([, target]) => !target.startsWith('.') && !declared.has(packageOf(target)))
    expect(undeclared).toEqual([])
  })

  it('can be loaded by require(): no module waits at its top level', () => {
    const waiting = code().filter(file => /^(?:await\b|for await\b|[^\s/*][^\n]*= await\b)/m.test(read(file)))
    expect(waiting).toEqual([])
  })

  it('does not tell where it was built', () => {
    expect(files.filter(file => read(file).includes(REPOSITORY))).toEqual([])
  })

  it('passes publint without a warning', async () => {
    const publint = join(REPOSITORY, 'node_modules/.bin/publint')
    const ended = await run(publint, ['run', tarball, '--strict'], { cwd: scratch })
    expect(ended.stdout).toContain('All good!')
    expect(ended.code).toBe(0)
  })

  it('has types that match its code however it is resolved', async () => {
    const attw = join(REPOSITORY, 'node_modules/.bin/attw')
    const ended = await run(attw, [tarball, '--profile', 'esm-only', '--format', 'json'], { cwd: scratch })
    const { problems = {} } = JSON.parse(ended.stdout) as { problems?: Record<string, unknown> }
    // The one that remains concerns CommonJS: every supported Node can require() an ES module.
    expect(Object.keys(problems)).toEqual(['CJSResolvesToESM'])
    expect(ended.code).toBe(0)
  })
})

function importsOf(text: string): string[] {
  return [STATIC_IMPORT, CALLED_IMPORT, FILE_URL].flatMap(pattern =>
    [...text.matchAll(pattern)].map(match => match[1]!),
  )
}

/** A declaration file names the code beside it. */
function asShipped(file: string, target: string): string {
  return file.endsWith('.d.ts') ? target.replace(/\.js$/, '.d.ts') : target
}

function packageOf(specifier: string): string {
  if (specifier.startsWith('node:')) return specifier
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}
