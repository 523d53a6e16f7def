import { render } from 'preact'
import { App } from './app.js'
import { startRouting } from './data/place.js'
import { startTheme } from './data/theme.js'
import './style/base.css'
import './style/shell.css'
import './style/parts.css'
import './style/charts.css'
import './style/trace.css'

startTheme()
startRouting()
const page = document.getElementById('page')
if (page !== null) render(<App />, page)
