import type { CaptureMode } from '../config/options.js'
import type { CaptureSite } from '../serialize/capture.js'

/** What the producer has to know of a call site. */
export interface ProducedSite extends CaptureSite {
  /** Number in the totals of this thread. */
  readonly id: number
  readonly captureArgs: CaptureMode
  readonly captureResult: CaptureMode
}
