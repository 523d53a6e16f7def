import { formatShape } from '../../../wording/shape.js'
import { visible } from '../../../wording/text.js'
import { Cuts } from './cuts.js'
import { JsonTree } from './json-tree.js'

interface Parts {
  readonly args: string | null
  readonly result?: string | null
  readonly shape: string | null
  readonly cuts: string | null
  readonly recorded?: string
}

/** Arguments and result of a call as far as they were recorded, and why not further. */
export function CapturedCall({ args, result, shape, cuts, recorded }: Parts) {
  return (
    <>
      <h3>Arguments</h3>
      {args !== null ? (
        <JsonTree json={args} label="Arguments" />
      ) : (
        <p class="quiet">{whyNone(shape, recorded)}</p>
      )}
      {result != null && (
        <>
          <h3>Result</h3>
          <JsonTree json={result} label="Result" />
        </>
      )}
      <Cuts json={cuts} />
    </>
  )
}

function whyNone(shape: string | null, recorded: string | undefined): string {
  if (recorded === 'hindsight') {
    return 'Not available: this call was not chosen by sampling, and is here because another of its trace failed or was slow.'
  }
  return shape === null ? 'None recorded.' : `By type and size only: ${visible(formatShape(shape))}`
}
