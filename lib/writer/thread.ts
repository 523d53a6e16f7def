import { parentPort } from 'node:worker_threads'
import { Control } from '../queue/control.js'
import { Drain } from './drain.js'
import type { DrainTask, WriterMessage } from './messages.js'

/**
 * Entry of the writer thread, called by piscina with its one long task.
 *
 * It answers at once and drains from the next turn of the loop on: while a task is running, piscina keeps the
 * process alive, and the writer must never be what keeps a finished program from ending. From then on this thread
 * never returns to its event loop; it sleeps in `Atomics.wait`, so it needs nothing from the app's event loop and
 * works on while that is blocked.
 */
export default function start(task: DrainTask): 'started' {
  setImmediate(() => {
    const control = new Control(task.control)
    const post = (message: WriterMessage): void => parentPort?.postMessage(message)
    new Drain(task, control, post).run()
  })
  return 'started'
}
