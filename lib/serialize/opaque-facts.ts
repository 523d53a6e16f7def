import { getPrototypeOf, isProxy, mapGet } from './intrinsics.js'
import { functionName, ownData } from './own-data.js'

const MAX_CHAIN = 64
const NO_FACTS: readonly string[] = []

/**
 * Fields of streams, sockets, requests and the like that say what the thing is and hold nothing of what goes through
 * it. Read as plain data only. By class name and not by class: loading `node:http` and `node:tls` to know them takes
 * 4 to 8 ms of every start (measured). `headers` stands for their number.
 */
const FACTS: ReadonlyMap<string, readonly string[]> = new Map([
  ['IncomingMessage', ['method', 'url', 'statusCode', 'headers']],
  ['ServerResponse', ['statusCode', 'finished']],
  ['ClientRequest', ['method', 'host', 'path']],
  ['Socket', ['connecting']],
  ['TLSSocket', ['connecting', 'authorized', 'servername']],
  ['ReadStream', ['path', 'bytesRead']],
  ['WriteStream', ['path', 'bytesWritten']],
  ['ChildProcess', ['pid', 'spawnfile', 'exitCode', 'signalCode']],
  ['Worker', ['threadId']],
])

/** Fields that Node has made accessors: the description of the symbol under which the value stands since then. */
const HIDDEN: ReadonlyMap<string, string> = new Map([['path', 'kPath']])

export function hiddenNameOf(fact: string): string | undefined {
  return mapGet(HIDDEN, fact)
}

/** The fields to show of the instances of `prototype`: those of its own class, else of the nearest one above it. */
export function factsOf(prototype: object): readonly string[] {
  let at: object | null = prototype
  for (let i = 0; at !== null && i < MAX_CHAIN && !isProxy(at); i++) {
    const facts = mapGet(FACTS, functionName(ownData(at, 'constructor')))
    if (facts !== undefined) return facts
    at = getPrototypeOf(at) as object | null
  }
  return NO_FACTS
}
