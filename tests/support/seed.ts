/** What the random choices of the fault tests begin with: `npm run chaos -- --seed N` repeats a run. */
export const SEED = Number(process.env['CALLSIGHT_SEED'] ?? 20_261_120)

/** For tests of generated values: fast-check chooses a seed itself, and prints it, unless one is given. */
export const givenSeed: { readonly seed?: number } =
  process.env['CALLSIGHT_SEED'] === undefined ? {} : { seed: SEED | 0 }
