import { Learned } from './argument-shape.js'
import { isProxy, min, setHas } from './intrinsics.js'
import { type Cut, Cut as Reason, SHAPED_ARGUMENTS, Word } from './markers.js'
import { CLOSING_BYTES } from './msgpack-writer.js'
import { typeText } from './shapes.js'
import type { Walk } from './walk.js'

// Here constants for the compiler, which imports are not.
const { nothing: LEARNED_NOTHING, hidden: LEARNED_HIDDEN } = Learned
const NO_REASON = Reason.none
const CLOSING = CLOSING_BYTES

/**
 * The arguments as a list, as far as it finds room.
 *
 * @param from arguments that are written already, in a list that is open
 */
export function writeList(
  walk: Walk,
  args: ArrayLike<unknown>,
  mode: true | 'types',
  from: number,
  headerAt: number,
): boolean {
  const total = args.length
  const shown = min(total, walk.limits.items)
  const outer = walk.limit
  const planned = shown + (total > shown ? 1 : 0)
  if (from > 0) walk.limit -= CLOSING
  else if (!walk.openArray(planned)) return false
  let reason: Cut = total > shown ? Reason.items : NO_REASON
  let done = from
  let afterSecretName = false
  for (; done < shown; done++) {
    if (walk.nodes <= 0) {
      reason = Reason.nodes
      break
    }
    walk.nodes--
    const value = args[done]
    walk.keysSeen = LEARNED_NOTHING
    // `headers.set('authorization', …)`: what follows a secret name is its value.
    const isHidden = afterSecretName || walk.site.redaction.hidesPosition(done)
    if (!(isHidden ? walk.hidden(value) : writeAt(walk, done, value, mode))) {
      reason = Reason.bytes
      break
    }
    if (done < SHAPED_ARGUMENTS) {
      walk.learned[done] = isHidden ? LEARNED_HIDDEN : walk.keysSeen
      walk.walked = done + 1
    }
    afterSecretName = typeof value === 'string' && done + 1 < total && walk.site.redaction.isSecretName(value)
  }
  walk.limit = outer
  if (reason === NO_REASON) return true
  walk.marker(reason, total - done, '')
  walk.closeArray(headerAt, planned, done + 1)
  return true
}

/** One argument, or the result, that is not hidden. Whatever goes wrong in it costs this value only. */
export function writeAt(walk: Walk, position: number, value: unknown, mode: true | 'types'): boolean {
  const { redaction, costly } = walk.site
  const { at, limit } = walk
  walk.position = position
  try {
    // Not `=== 'types'`, which compares texts.
    if (mode !== true) return walk.label(Reason.none, typeText(value, !setHas(costly, position), walk))
    if (typeof value === 'object' && value !== null && setHas(costly, position))
      return writeCostly(walk, value)
    walk.path = redaction.rootOf(position)
    return walk.value(value)
  } catch {
    while (walk.level > 0) walk.leave()
    walk.undo(at, limit)
    return walk.word(Word.uncapturable)
  }
}

function writeCostly(walk: Walk, value: object): boolean {
  if (isProxy(value)) return walk.word(Word.proxy)
  return walk.label(Reason.cost, typeText(value, false, walk))
}
