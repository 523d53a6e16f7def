import { Component, type ComponentChildren } from 'preact'
import { Notice } from './notice.js'

interface State {
  readonly hasFailed: boolean
}

/** A recording that is damaged can hold what no view expects: the rest of the page goes on without the view. */
export class Guard extends Component<{ readonly children: ComponentChildren }, State> {
  override state: State = { hasFailed: false }

  static override getDerivedStateFromError(): State {
    return { hasFailed: true }
  }

  override render() {
    if (!this.state.hasFailed) return this.props.children
    return (
      <Notice title="This view cannot be drawn">
        The recording holds something it does not expect; the file may be damaged. On the command line, the
        views of <code>callsight</code> may tell more.
      </Notice>
    )
  }
}
