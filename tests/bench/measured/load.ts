/**
 * Open-loop load: requests leave at times fixed beforehand, whatever became of the earlier ones, and their latency
 * counts from those times. Works on sockets, so that the client costs little of a machine with few processors.
 */
import { connect, type Socket } from 'node:net'
import { orderText } from './orders.js'
import { serve } from './report.js'

export interface LoadCommand {
  readonly port: number
  readonly perSecond: number
  readonly seconds: number
}

export interface LoadAnswer {
  /** From the time at which a request was due to the end of its response, in the order of the responses. */
  readonly latenciesMs: readonly number[]
  /** How late the requests left. */
  readonly lateMs: readonly number[]
}

const CONNECTIONS = 16
/** A timer is late by up to two milliseconds; what is due earlier is waited for in turns of the loop. */
const TIMER_SLACK_MS = 2.5

const requests = Array.from({ length: 64 }, (_, id) => {
  const body = orderText(id)
  return Buffer.from(
    `POST /orders HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  )
})

class Connection {
  /** Called with each whole response. */
  onResponse: (() => void) | null = null
  #text = ''
  readonly socket: Socket

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1').setNoDelay(true)
    this.socket.on('data', chunk => {
      this.#text += chunk.toString('latin1')
      const headEnd = this.#text.indexOf('\r\n\r\n')
      if (headEnd < 0) return
      const length = /content-length: (\d+)/i.exec(this.#text)?.[1]
      if (!this.#text.startsWith('HTTP/1.1 200') || length === undefined)
        throw new Error(`unexpected: ${this.#text}`)
      if (this.#text.length < headEnd + 4 + Number(length)) return
      this.#text = ''
      this.onResponse?.()
    })
  }
}

const pools = new Map<number, Connection[]>()

async function poolOf(port: number): Promise<Connection[]> {
  const known = pools.get(port)
  if (known !== undefined) return known
  const pool = Array.from({ length: CONNECTIONS }, () => new Connection(port))
  await Promise.all(pool.map(({ socket }) => new Promise(resolve => socket.once('connect', resolve))))
  pools.set(port, pool)
  return pool
}

async function load({ port, perSecond, seconds }: LoadCommand): Promise<LoadAnswer> {
  const idle = [...(await poolOf(port))]
  const waiting: number[] = []
  const latenciesMs: number[] = []
  const lateMs: number[] = []
  const total = Math.round(perSecond * seconds)
  const startMs = performance.now() + 5
  let sent = 0
  const send = (connection: Connection, dueMs: number): void => {
    lateMs.push(performance.now() - dueMs)
    connection.onResponse = () => {
      latenciesMs.push(performance.now() - dueMs)
      const next = waiting.shift()
      if (next === undefined) idle.push(connection)
      else send(connection, next)
    }
    connection.socket.write(requests[sent++ % requests.length] as Buffer)
  }
  let due = 0
  await new Promise<void>(resolve => {
    const turn = (): void => {
      const nowMs = performance.now()
      for (; due < total && startMs + (due * 1000) / perSecond <= nowMs; due++) {
        const dueMs = startMs + (due * 1000) / perSecond
        const connection = idle.shift()
        if (connection === undefined) waiting.push(dueMs)
        else send(connection, dueMs)
      }
      if (latenciesMs.length === total) resolve()
      else if (due < total && startMs + (due * 1000) / perSecond - performance.now() < TIMER_SLACK_MS)
        setImmediate(turn)
      else setTimeout(turn, 1)
    }
    turn()
  })
  return { latenciesMs, lateMs }
}

await serve(async () => null, load)
