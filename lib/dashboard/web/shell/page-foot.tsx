import { visible } from '../../../wording/text.js'
import type { SessionAnswer } from '../../api.js'
import { formatLength } from '../data/figures.js'

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone

export function PageFoot({
  session: { path, version, recorded, isLive },
}: {
  readonly session: SessionAnswer
}) {
  return (
    <footer class="foot">
      <span class="code">{visible(path)}</span>
      <span>{isLive ? 'a program writes into it' : 'no program writes into it'}</span>
      {recorded !== null && <span>{formatLength(recorded.untilMs - recorded.sinceMs)} recorded</span>}
      <span>Times: {zone}</span>
      <span>Callsight {version}</span>
    </footer>
  )
}
