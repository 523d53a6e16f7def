/** Version of this package: the same as in its manifest, which is not read when a program loads Callsight. */
export const OWN_VERSION = '0.1.0'
