// A reader thread that does what the address says; it answers with how many questions it has seen.
let asked = 0

export default function start({ port }) {
  port.on('message', message => {
    if (message.type === 'stop') {
      port.postMessage({ type: 'stopped' })
      setImmediate(() => port.close())
      return
    }
    asked++
    const { address, ended } = message.question
    if (address === '/die') process.exit(1)
    if (address === '/never') return
    while (address === '/until-left' && Atomics.load(ended, 0) === 0) Atomics.wait(ended, 0, 0, 5)
    const body = new TextEncoder().encode(JSON.stringify({ asked, address, ended: Atomics.load(ended, 0) }))
    port.postMessage({ type: 'answer', id: message.id, answer: { status: 200, body } })
  })
  port.postMessage({ type: 'ready' })
  return 'listening'
}
