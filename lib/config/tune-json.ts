import { ConfigError } from './errors.js'
import type { TuneOptions } from './options.js'
import { validateTuneOptions } from './validate.js'

/** JSON has no infinity, and makes `null` of the one that stands for no limit per second. */
export function tuneOptionsToJson(options: TuneOptions): string {
  return JSON.stringify(options)
}

/** @throws {@link ConfigError} for what `tune()` would not take */
export function tuneOptionsFromJson(json: string | null): TuneOptions {
  let given: unknown
  try {
    given = JSON.parse(json ?? '', (key, value: unknown) =>
      key === 'maxPerSecond' && value === null ? Number.POSITIVE_INFINITY : value,
    )
  } catch (cause) {
    throw new ConfigError('Callsight: the options of a change must be a JSON text', { cause })
  }
  return validateTuneOptions(given)
}
