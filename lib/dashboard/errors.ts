/** The dashboard could not be started; the message is one line and says what to do. */
export class DashboardError extends Error {
  override readonly name = 'DashboardError'
  readonly code = 'CALLSIGHT_DASHBOARD'
}
