import { STORE_PATH_RULE } from './option-rules.js'
import { renderValue } from './render.js'

/** The variables Callsight reads. `process.env` fits. */
export interface Environment {
  readonly [name: string]: string | undefined
}

/** What the environment says; null = nothing usable. */
export interface EnvironmentSettings {
  /** `CALLSIGHT` */
  readonly enabled: boolean | null
  /** `CALLSIGHT_DB` */
  readonly storePath: string | null
  /** `CALLSIGHT_SAMPLE` */
  readonly sample: number | null
  /** One line for each variable that cannot be used. It is ignored: a typing error must not stop an app. */
  readonly warnings: readonly string[]
}

const SWITCH: Readonly<Record<string, boolean>> = Object.freeze(
  Object.assign(Object.create(null) as Record<string, boolean>, {
    off: false,
    '0': false,
    false: false,
    no: false,
    on: true,
    '1': true,
    true: true,
    yes: true,
  }),
)
const DECIMAL = /^(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i

/** Reads `CALLSIGHT`, `CALLSIGHT_DB` and `CALLSIGHT_SAMPLE`. An empty variable counts as not set. */
export function readEnvironment(env: Environment): EnvironmentSettings {
  const warnings: string[] = []
  const read = <T>(name: string, allowed: string, parse: (text: string) => T | null): T | null => {
    const text = env[name]
    if (text === undefined || text.trim() === '') return null
    const parsed = parse(text)
    if (parsed === null) {
      warnings.push(
        `Callsight: the environment variable ${name} must be ${allowed}, but is ${renderValue(text)}; it is ignored`,
      )
    }
    return parsed
  }
  return Object.freeze({
    enabled: read(
      'CALLSIGHT',
      'on, 1, true, yes, off, 0, false or no',
      text => SWITCH[text.trim().toLowerCase()] ?? null,
    ),
    storePath: read('CALLSIGHT_DB', STORE_PATH_RULE.allowed, text =>
      STORE_PATH_RULE.accepts(text) ? text : null,
    ),
    sample: read('CALLSIGHT_SAMPLE', 'a number from 0 to 1', parseSample),
    warnings: Object.freeze(warnings),
  })
}

function parseSample(text: string): number | null {
  const rate = DECIMAL.test(text.trim()) ? Number(text) : -1
  return rate >= 0 && rate <= 1 ? rate : null
}
