import { useEffect, useRef, useState } from 'preact/hooks'
import { useFollowed } from '../data/store.js'
import { theme } from '../data/theme.js'

export type Draw = (context: CanvasRenderingContext2D, width: number, height: number) => void

/** A canvas as wide as its place, sharp on every screen, drawn anew when its size, the look or `draw` changes. */
export function useDrawing(draw: Draw, height: number) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const [width, setWidth] = useState(0)
  const look = useFollowed(theme)

  useEffect(() => {
    const node = canvas.current?.parentElement
    if (node == null) return
    const measure = () => setWidth(Math.floor(node.clientWidth))
    const watch = new ResizeObserver(() => requestAnimationFrame(measure))
    measure()
    watch.observe(node)
    return () => watch.disconnect()
  }, [])

  useEffect(() => {
    const node = canvas.current
    const context = node?.getContext('2d')
    if (node == null || context == null || width === 0) return
    const ratio = devicePixelRatio || 1
    node.width = Math.round(width * ratio)
    node.height = Math.round(height * ratio)
    node.style.width = `${width}px`
    node.style.height = `${height}px`
    context.setTransform(ratio, 0, 0, ratio, 0, 0)
    context.clearRect(0, 0, width, height)
    draw(context, width, height)
  }, [draw, width, height, look])

  return { canvas, width }
}
