/** True only for `any`: nothing else makes `0` part of `1 & T`. */
export type IsAny<T> = 0 extends 1 & T ? true : false

/** Two types are the same when no conditional type can tell them apart. */
export type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** Whether `any` stands anywhere in a type: in fields, items, parameters, results, promised values. */
export type ContainsAny<T> = true extends AnyIn<T> ? true : false

/** Types of the platform: what they contain is not ours, and some of them contain themselves. */
type Opaque = ArrayBufferView | ArrayBufferLike | Date | Error | RegExp

type AnyIn<T> =
  IsAny<T> extends true
    ? true
    : T extends Opaque
      ? false
      : T extends PromiseLike<infer Value>
        ? AnyIn<Value>
        : T extends IteratorObject<infer Item, infer Result, infer Sent>
          ? AnyIn<Item> | AnyIn<Result> | AnyIn<Sent>
          : T extends readonly (infer Item)[]
            ? AnyIn<Item>
            : T extends (...args: infer Args) => infer Result
              ? AnyIn<Args> | AnyIn<Result>
              : T extends Function
                ? false
                : T extends object
                  ? { [Key in keyof T]-?: AnyIn<T[Key]> }[keyof T]
                  : false

/** Compiles for `true` alone. */
export function holds<_Claim extends true>(): void {}
