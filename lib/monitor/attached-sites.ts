import type { CallSite } from './call-site.js'

const FIRST_SWEEP_SIZE = 1_024

/**
 * The call sites that have been called, for `tune()` to reach. Those the app has let go of are not kept alive: a
 * program may wrap a new function for each of its requests.
 */
export class AttachedSites {
  #sites = new Set<WeakRef<CallSite>>()
  #sweepAtSize = FIRST_SWEEP_SIZE

  add(site: CallSite): void {
    if (this.#sites.size >= this.#sweepAtSize) {
      this.visit(() => {})
      // Twice what is alive: sweeping costs a constant share of adding.
      this.#sweepAtSize = Math.max(FIRST_SWEEP_SIZE, 2 * this.#sites.size)
    }
    this.#sites.add(new WeakRef(site))
  }

  visit(each: (site: CallSite) => void): void {
    for (const reference of this.#sites) {
      const site = reference.deref()
      if (site === undefined) this.#sites.delete(reference)
      else each(site)
    }
  }
}
