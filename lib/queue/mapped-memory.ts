/**
 * glibc hands out blocks above 32 MiB from mappings of their own, whatever the program has freed before: pages cost
 * memory only once they are written, and go back to the system at once. Smaller ones it begins to take from arenas
 * after the first was freed, which touches every page and keeps it: 120 workers one after another, 1.2 GB.
 */
const OWN_MAPPING_BYTES = 33 * 2 ** 20

/** Shared memory for at least `bytes`, zeroed, of which a thread that ends leaves nothing behind. */
export function mappedMemory(bytes: number): SharedArrayBuffer {
  return new SharedArrayBuffer(Math.max(bytes, OWN_MAPPING_BYTES))
}
