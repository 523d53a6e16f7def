import { useEffect } from 'preact/hooks'

/** `/` leads to the first filter of the view. */
export function useKeys(): void {
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey) return
      if (event.target instanceof Element && event.target.closest('input, select, textarea') !== null) return
      const filter = document.querySelector<HTMLInputElement>('main input[type=search]')
      if (filter === null) return
      event.preventDefault()
      filter.focus()
      filter.select()
    }
    document.addEventListener('keydown', pressed)
    return () => document.removeEventListener('keydown', pressed)
  }, [])
}
