import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Where Debian's package puts the library for programs with threads. */
const LIBRARIES = ['x86_64-linux-gnu', 'aarch64-linux-gnu', 'arm-linux-gnueabihf'].map(
  triplet => `/usr/lib/${triplet}/faketime/libfaketimeMT.so.1`,
)
const library = LIBRARIES.find(existsSync)

export const canShiftClock = library !== undefined
/** Stands in the names of the tests that need it. */
export const whyNoShim = canShiftClock ? '' : ' (skipped: no libfaketime; apt-get install faketime)'

/** The wall clock of one program under test. Its monotonic clock is the real one. */
export class ShiftedClock {
  readonly #file: string

  constructor(folder: string, name = 'clock') {
    this.#file = join(folder, name)
    this.shift('+0')
  }

  /** @param by as `faketime` has it, such as `-1d` */
  shift(by: string): void {
    writeFileSync(this.#file, `${by}\n`)
  }

  /** To be given to the program, and to it only. */
  get env(): NodeJS.ProcessEnv {
    return {
      LD_PRELOAD: library,
      DONT_FAKE_MONOTONIC: '1',
      // Times of files stay real, as they are when somebody sets the clock.
      NO_FAKE_STAT: '1',
      // The file is read with every look at the clock.
      FAKETIME_NO_CACHE: '1',
      FAKETIME_TIMESTAMP_FILE: this.#file,
    }
  }
}
