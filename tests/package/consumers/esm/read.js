import { openStore } from 'callsight'

const store = openStore()
console.log(JSON.stringify(store.errors().map(row => row.message)))
store.close()
