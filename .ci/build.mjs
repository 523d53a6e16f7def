/**
 * Makes `dist`: the declarations, the programs that Node runs, the page of the dashboard. Silent when all is well.
 */
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build as bundle } from 'rolldown'
import { loadConfig } from 'rolldown/config'
import { build as buildPage } from 'vite'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
rmSync('dist', { recursive: true, force: true })
const tsc = ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json', '--emitDeclarationOnly']
execFileSync(process.execPath, tsc, { stdio: 'inherit' })
await bundle(await loadConfig('rolldown.config.ts'))
await buildPage({
  configFile: false,
  root: 'lib/dashboard/web',
  logLevel: 'warn',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: '../../../dist/dashboard/page',
    emptyOutDir: true,
    target: 'es2022',
    // The page's policy allows files of its own only: nothing may become a data: address or an inline script.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
})
