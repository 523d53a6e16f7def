import { defineConfig, type OutputOptions, type Plugin } from 'rolldown'

/**
 * What is published: one file for the threads of the app, because a start pays for each file that is loaded, and one
 * for each program of its own: the writer thread, the dashboard's server and its reader threads, the command line, its
 * probe. No two of these meet in one thread, so nobody sees that they share code as text and not as modules. The
 * exception are the readers, which `openStore()` loads into a thread of the app: see `store/open-store.ts`.
 */
const output: OutputOptions = {
  dir: 'dist',
  format: 'esm',
  sourcemap: true,
  // Stack traces stay readable: minified, the import was faster by no more than it varies.
  minify: 'dce-only',
  comments: false,
}

/** Modules of which tests and benchmarks need the very instance that runs: ways into the one file, as index.js is. */
const INSIDES = ['monitor/recording', 'monitor/running', 'queue/layout', 'queue/ring', 'config/option-rules']

export default defineConfig([
  program(['index', ...INSIDES], {
    minifyInternalExports: false,
    // In a folder of dist as the modules are in folders of lib: paths from one to another hold here and there.
    chunkFileNames: 'app/[name].js',
    codeSplitting: { groups: [{ name: 'callsight', test: /./ }] },
  }),
  program(['store/read'], { format: 'cjs', entryFileNames: '[name].cjs' }),
  program(['writer/thread'], {}),
  program(['dashboard/server'], {}),
  program(['dashboard/reader'], {}),
  program(['cli/main', 'cli/probe'], { chunkFileNames: 'cli/shared.js' }),
])

function program(entries: readonly string[], more: OutputOptions) {
  return {
    input: Object.fromEntries(entries.map(name => [name, `lib/${name}.ts`])),
    platform: 'node' as const,
    external: /^[a-z@]/,
    plugins: [builtinsWithoutFacade(), inAscii()],
    output: { ...output, ...more },
  }
}

/**
 * Takes Node's own modules from `process`. An `import` makes each a module with all its exports, and reads them all,
 * lazy getters too: importing `node:crypto` like that loads WebCrypto.
 */
function builtinsWithoutFacade(): Plugin {
  const IMPORT = /^import (?:(\w+)|\* as (\w+)|\{([^}]+)\}) from ("node:[^"]+");$/gm
  return {
    name: 'builtins-without-facade',
    renderChunk(code) {
      const taken = code.replace(IMPORT, (_, name?: string, space?: string, list?: string, from?: string) => {
        const names = name ?? space ?? `{${list?.replaceAll(' as ', ': ')}}`
        return `const ${names} = process.getBuiltinModule(${from});`
      })
      // Lines stay where they are, and so does the source map.
      return { code: taken, map: null }
    },
  }
}

/** One other character makes V8 keep and scan the whole text in two bytes a character. */
function inAscii(): Plugin {
  return {
    name: 'in-ascii',
    // After the last writing of the code, which would undo it. Comments are gone: what is left stands in texts.
    generateBundle(_, bundle) {
      for (const output of Object.values(bundle)) {
        if (output.type === 'chunk') output.code = output.code.replace(/[^\0-\x7f]/g, escaped)
      }
    },
  }
}

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}
