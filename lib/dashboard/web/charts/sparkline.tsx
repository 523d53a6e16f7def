const WIDTH = 96
const HEIGHT = 20

interface Props {
  readonly values: readonly number[]
  /** Counts among `values`, drawn over them in red. */
  readonly errors?: readonly number[]
  readonly label: string
  readonly tone?: 'accent' | 'bad'
}

/** How a count went over the time of the view, without scales: a shape beside its figures. */
export function Sparkline({ values, errors = [], label, tone = 'accent' }: Props) {
  const most = Math.max(
    1,
    values.reduce((a, b) => Math.max(a, b), 0),
  )
  return (
    <svg
      class={`spark ${tone}`}
      width={WIDTH}
      height={HEIGHT}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      <path class="base" d={`M0 ${HEIGHT - 0.5}H${WIDTH}`} />
      <path class="calls" d={bars(values, most)} />
      {errors.some(count => count > 0) && <path class="errors" d={bars(errors, most)} />}
    </svg>
  )
}

/** One outline for all bars; a count that is not zero is never thinner than a line. */
function bars(values: readonly number[], most: number): string {
  const step = WIDTH / Math.max(1, values.length)
  const gap = step > 3 ? 0.75 : 0
  let path = ''
  values.forEach((value, i) => {
    if (value <= 0) return
    const height = Math.max(1.5, (value / most) * (HEIGHT - 1))
    const x = (i * step).toFixed(2)
    path += `M${x} ${HEIGHT}v${-height.toFixed(2)}h${(step - gap).toFixed(2)}V${HEIGHT}z`
  })
  return path
}
