import { visibleLines } from '../../../wording/text.js'
import { ScrollBox } from './scroll-box.js'

/** Frames of Node and of installed packages. */
const FOREIGN = /node_modules|\(?node:|<anonymous>/

/** A stack with the program's own frames in the foreground. */
export function Stack({ text }: { readonly text: string }) {
  const lines = visibleLines(text)
  const first = lines.findIndex(line => /^\s*at /.test(line))
  const frames = first === -1 ? [] : lines.slice(first)
  return (
    <ScrollBox label="Stack">
      <ol class="stack code">
        {frames.length === 0 && <li>{lines.join('\n')}</li>}
        {frames.map((line, i) => (
          <li key={i} class={FOREIGN.test(line) ? 'foreign' : undefined}>
            {line.trim()}
          </li>
        ))}
      </ol>
    </ScrollBox>
  )
}
