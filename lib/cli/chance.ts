/** `0 %`, `0.013 %`, `2.3 %`, `97 %` */
export function formatPercent(share: number): string {
  const percent = share * 100
  if (percent === 0 || percent >= 99.95) return `${Math.round(percent)} %`
  return `${percent >= 9.95 ? percent.toFixed(0) : percent.toPrecision(2)} %`
}

/** `0.032`, `4e-12`; `< 1e-99` for what nobody distinguishes any more. */
export function formatProbability(p: number): string {
  if (p < 1e-99) return '< 1e-99'
  return p < 0.001 ? p.toExponential(0) : p.toPrecision(2)
}
