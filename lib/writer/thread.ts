import { parentPort, workerData } from 'node:worker_threads'
import { Control } from '../queue/control.js'
import { Drain } from './drain.js'
import type { DrainTask, WriterMessage } from './messages.js'

/**
 * The writer thread. Once it drains it never returns to its event loop; it sleeps in `Atomics.wait`, so it needs nothing
 * from the app's event loop and works on while that is blocked. When its work is done it stays until it is ended: one
 * that ends by itself has died.
 */
const task = workerData as DrainTask
parentPort?.on('message', () => {})
// From the next turn on: whatever has to be done to begin a thread is done then.
setImmediate(() => {
  const control = new Control(task.control)
  const post = (message: WriterMessage): void => parentPort?.postMessage(message)
  new Drain(task, control, post).run()
})
