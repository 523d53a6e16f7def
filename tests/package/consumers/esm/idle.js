import { health, monitor } from 'callsight'

class Orders {
  place() {}
}
monitor(Orders)
monitor(function half() {})

console.log(health().state)
