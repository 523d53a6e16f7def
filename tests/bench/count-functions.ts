import { type Profiler, Session } from 'node:inspector'

/** Counts the calls of functions below a URL, by V8's exact coverage; the returned function takes the count so far. */
export function countFunctions(below: string): () => number {
  const session = new Session()
  session.connect()
  session.post('Profiler.enable')
  session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false })
  return () => {
    let scripts: Profiler.ScriptCoverage[] = []
    // On the own thread the answer comes before `post` returns.
    session.post('Profiler.takePreciseCoverage', (error, { result }) => {
      if (error !== null) throw error
      scripts = result
    })
    return scripts
      .filter(({ url }) => url.startsWith(below))
      .flatMap(({ functions }) => functions)
      .reduce((sum, { ranges }) => sum + (ranges[0]?.count ?? 0), 0)
  }
}

/** The files of all scripts this thread has loaded. */
export function scriptUrls(): string[] {
  const session = new Session()
  const urls = new Set<string>()
  session.connect()
  session.on('Debugger.scriptParsed', ({ params }) => void urls.add(params.url))
  session.post('Debugger.enable')
  session.disconnect()
  return [...urls]
}
