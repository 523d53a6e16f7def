import type { CallsightOptions } from './options.js'

/** Options laid over earlier ones; groups such as `store` are merged member by member. */
export function mergeOptions(below: CallsightOptions, above: CallsightOptions): CallsightOptions {
  const merged: Record<string, unknown> = { ...below }
  for (const [key, value] of Object.entries(above)) {
    const under = merged[key]
    const groups = isGroup(under) && isGroup(value)
    merged[key] = groups ? { ...under, ...value } : value
  }
  return merged
}

function isGroup(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
