import { classify, codeOf } from '../store/errors.js'

/** An export could not be written; the message says why and what to do. */
export class ExportError extends Error {
  override readonly name = 'ExportError'
  readonly code = 'CALLSIGHT_EXPORT'
}

/** What the file system said, in our words. */
export function cannotWrite(path: string, error: unknown): ExportError {
  const advice =
    classify(error) === 'full' || codeOf(error) === 'EDQUOT'
      ? 'Free some space, or choose another place.'
      : 'Check that its folder is there and may be written, or choose another place.'
  return new ExportError(`${path} cannot be written (${(error as Error).message}). ${advice}`, {
    cause: error,
  })
}

export function alreadyThere(path: string): ExportError {
  return new ExportError(`${path} is there already. Choose another name, or add --force to replace it.`)
}
