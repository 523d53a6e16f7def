/**
 * What the recording thread and the writer thread agree on: how a captured value says that something is not in
 * it, and why.
 *
 * Payloads are plain msgpack. Extension types carry what JSON has no word for, or what was cut:
 *
 * ```
 * ext  payload                                                             JSON text
 * ───  ──────────────────────────────────────────────────────────────────  ─────────────────────────────
 *   1  reason u8 · amount varint                                           "[980 more: fields]"
 *      reason u8 · amount varint · text (UTF-8)                            "[Object: depth]"
 *      reason u8 | SILENT · amount varint · text                           "[Table 1000000×100]"
 *      reason u8 | SCRUBBED · amount varint · text                         "[Symbol(pin=[redacted])]"
 *   2  redactions u8 · reason u8 · units not kept varint · text            "abc…[63999745 more: string]"
 *   3  word u8 (index into WORDS)                                          "[undefined]"
 *   4  arguments u8 · for each of the first 16: tag u8, and what           ["string",12]
 *      {@link ShapeTag} says of it                                         (in the list of all arguments)
 * ```
 *
 * Grammar of the JSON text: a marker is a string in square brackets, `[what]`, `[what: reason]` or
 * `[n more: reason]`. The rest of a list is its last item; the rest of an object or map is its last key `…`; the rest
 * of a string follows `…` at its end. `[redacted]` may also stand inside a string. Shapes (`[Buffer 1024]`,
 * `[Array 10000000]`, `[string 300000]`) name no reason, because the shape is the reason, and still count in the
 * summary of cuts. A key that is itself too long is shortened in place and not counted; the key `__proto__` is
 * written `[__proto__]`, because msgpack readers refuse it. A key out of which a secret was taken is written with the
 * widest header of msgpack (str 32), which nothing else here uses: the reader counts it as one redaction.
 *
 * Instances are objects whose first key is `@class`. Of what works rather than holds (sockets, streams, requests,
 * emitters, observables, promises, timers) stands the class, and with it a few fields that are plain data and known to
 * be harmless, else the class alone: `{"@class":"IncomingMessage","method":"GET","url":"/orders?token=[redacted]",
 * "headers":7}`, `"[Subject]"`. Maps, sets and URL parameters are `{"@class":"Map","size":2,"entries":[…]}`; buffers,
 * blobs, tables and tensors are shapes; an address is its text.
 */
export const Ext = { marker: 1, text: 2, word: 3, shape: 4 } as const

/** Header byte of a key that had a secret in it. */
export const STR_32 = 0xdb

/** Why something is not in a captured value. The order is part of the file format: append only. */
export const CUT_REASONS = [
  'depth',
  'fields',
  'items',
  'string',
  'nodes',
  'bytes',
  'cost',
  'redacted',
  'getter',
  'proxy',
] as const
export type CutReason = (typeof CUT_REASONS)[number]

/** Reason byte of a marker. */
export const Cut = {
  none: 0,
  depth: 1,
  fields: 2,
  items: 3,
  string: 4,
  nodes: 5,
  bytes: 6,
  cost: 7,
  redacted: 8,
  getter: 9,
  proxy: 10,
} as const satisfies Record<CutReason | 'none', number>
export type Cut = (typeof Cut)[keyof typeof Cut]

/** Bit of the reason byte: counted in the summary, not repeated in the text. */
export const SILENT = 0x80

/** Bit of the reason byte: a secret was taken out of the text. */
export const SCRUBBED = 0x40

/** Markers without any amount, three bytes each. The order is part of the file format: append only. */
export const WORDS = [
  { text: '[undefined]', reason: Cut.none },
  { text: '[NaN]', reason: Cut.none },
  { text: '[Infinity]', reason: Cut.none },
  { text: '[-Infinity]', reason: Cut.none },
  { text: '[redacted]', reason: Cut.redacted },
  { text: '[getter]', reason: Cut.getter },
  { text: '[Proxy]', reason: Cut.proxy },
  { text: '[Circular]', reason: Cut.none },
  { text: '[uncapturable]', reason: Cut.none },
  { text: '[empty]', reason: Cut.none },
  { text: '[Date invalid]', reason: Cut.none },
] as const satisfies readonly { text: string; reason: Cut }[]

/** Index into {@link WORDS}. */
export const Word = {
  undefined: 0,
  nan: 1,
  infinity: 2,
  negativeInfinity: 3,
  redacted: 4,
  getter: 5,
  proxy: 6,
  circular: 7,
  uncapturable: 8,
  empty: 9,
  invalidDate: 10,
} as const
export type Word = (typeof Word)[keyof typeof Word]

export const REDACTED_TEXT = WORDS[Word.redacted].text

/** Key under which the class of an instance stands, always first. */
export const CLASS_KEY = '@class'
/** Key of the marker that stands for the keys that were cut. */
export const REST_KEY = '…'
export const PROTO_KEY = '[__proto__]'

/** Arguments whose shape is recorded; what follows is one `"…"` in the JSON text. */
export const SHAPED_ARGUMENTS = 16
/** Longest class name in a shape, in bytes of UTF-8. */
export const SHAPE_NAME_BYTES = 64
/** Longest shape with its msgpack header: per argument a tag, a size of at most 8 bytes, and a class name. */
export const SHAPE_BYTES = 4 + 1 + SHAPED_ARGUMENTS * (1 + 8 + 1 + SHAPE_NAME_BYTES)

/**
 * What an argument was, whether its value is recorded or not. The JSON text is a list with one entry an argument: the
 * name (`"number"`), or name and size (`["array",500]`). Names in lower case are kinds, others are classes. The order
 * is part of the file format: append only.
 *
 * Behind the tag, in this order: `size` as varint (UTF-16 units, items, own keys), then `name` as u8 length and UTF-8.
 */
export const SHAPE_TAGS = [
  { name: 'undefined' },
  { name: 'null' },
  { name: 'boolean' },
  { name: 'number' },
  { name: 'bigint' },
  { name: 'string', sized: true },
  { name: 'symbol' },
  { name: 'function' },
  { name: 'array', sized: true },
  { name: 'object', sized: true },
  // Of a position that proved too expensive to have its keys counted.
  { name: 'object' },
  { name: 'instance', sized: true, named: true },
  { name: 'instance', named: true },
  { name: 'view', sized: true, named: true },
  { name: 'map', sized: true },
  { name: 'set', sized: true },
  { name: 'date' },
  { name: 'regexp' },
  { name: 'error', named: true },
  { name: 'proxy' },
  { name: 'opaque', named: true },
  { name: 'redacted' },
] as const satisfies readonly { name: string; sized?: true; named?: true }[]

/** Index into {@link SHAPE_TAGS}. */
export const ShapeTag = {
  undefined: 0,
  null: 1,
  boolean: 2,
  number: 3,
  bigint: 4,
  string: 5,
  symbol: 6,
  function: 7,
  array: 8,
  object: 9,
  uncountedObject: 10,
  instance: 11,
  uncountedInstance: 12,
  view: 13,
  map: 14,
  set: 15,
  date: 16,
  regexp: 17,
  error: 18,
  proxy: 19,
  opaque: 20,
  redacted: 21,
} as const
export type ShapeTag = (typeof ShapeTag)[keyof typeof ShapeTag]
