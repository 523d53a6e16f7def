/** An option or an environment variable that cannot be used. The message is one line and says what is allowed. */
export class ConfigError extends Error {
  override readonly name = 'CallsightConfigError'
  readonly code = 'CALLSIGHT_CONFIG'
}
