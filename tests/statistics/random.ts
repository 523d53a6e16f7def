/** The same numbers each time: Park and Miller's generator, and what is drawn from it. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = (seed % 2_147_483_646) + 1
  }

  /** 0 to 1, neither of them. */
  uniform(): number {
    this.#state = (this.#state * 48_271) % 2_147_483_647
    return this.#state / 2_147_483_647
  }

  below(limit: number): number {
    return Math.floor(this.uniform() * limit)
  }

  normal(): number {
    return Math.sqrt(-2 * Math.log(this.uniform())) * Math.cos(2 * Math.PI * this.uniform())
  }
}

/** Most false alarms that `runs` runs at this rate bring with a probability of 999 in 1,000. */
export function mostAlarms(runs: number, rate: number): number {
  return Math.ceil(runs * rate + 3.09 * Math.sqrt(runs * rate * (1 - rate)))
}
