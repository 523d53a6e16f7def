/** A loop that does nothing but compute, with its units of 1, 10 and 100 µs instrumented: its slowdown. */
import type { LoopAnswer } from './measured/loop.js'
import type { VariantName } from './measured/variants.js'
import { measure } from './support/measured-process.js'
import { answer, type Result, type Row } from './support/program.js'
import { median, quartileSpread } from './support/statistics.js'

const percentsLonger = (bare: readonly number[], instrumented: readonly number[]): number[] =>
  bare.map((ns, index) => ((instrumented[index] as number) / ns - 1) * 100)

async function slowdown(variant: VariantName, unitUs: number): Promise<Result> {
  const answered = await measure<LoopAnswer>('loop', [variant, String(unitUs)])
  const { bareNs, instrumentedNs, bareCpuNs, instrumentedCpuNs } = answered
  const percents = percentsLonger(bareNs, instrumentedNs)
  const cpu = bareCpuNs.length > 0 && {
    'CPU time of the thread, percent': median(percentsLonger(bareCpuNs, instrumentedCpuNs)),
  }
  const bare = median(bareNs)
  const instrumented = median(instrumentedNs)
  return {
    unit: 'percent',
    value: median(percents),
    detail: `a unit of ${bare.toFixed(0)} ns takes ${(instrumented - bare).toFixed(0)} ns longer`,
    extra: {
      bareNs: bare,
      instrumentedNs: instrumented,
      addedNs: instrumented - bare,
      'percent, width of the middle half': quartileSpread(percents),
      ...cpu,
    },
  }
}

const rows: Record<string, Row> = {}
for (const unitUs of [1, 10, 100]) {
  const peers: VariantName[] = unitUs === 100 ? ['OpenTelemetry', 'pino'] : []
  const variants: VariantName[] = ['bare', 'Callsight, unsampled', 'Callsight', ...peers]
  for (const variant of variants) {
    const name = variant === 'bare' ? 'bare beside itself' : variant
    rows[`loop, units of ${unitUs} µs, ${name}`] = { run: () => slowdown(variant, unitUs) }
  }
}
await answer('loop', rows)
