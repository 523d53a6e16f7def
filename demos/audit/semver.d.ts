/** The part of `semver` the audit uses; npm installs the package without types. */
declare module 'semver' {
  export function satisfies(version: string, range: string): boolean
  export function subset(range: string, ofRange: string): boolean
  export function valid(version: string): string | null
}
