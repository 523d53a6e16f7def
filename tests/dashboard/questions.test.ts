import { afterEach, describe, expect, it } from 'vitest'
import type { Answer } from '../../lib/dashboard/messages.js'
import { type QuestionLimits, Questions } from '../../lib/dashboard/questions.js'

const LIMITS: QuestionLimits = { deadlineMs: 60_000, threads: 1, waiting: 2, idleMs: 60_000 }
const open: Questions[] = []
afterEach(() => Promise.all(open.splice(0).map(questions => questions.close())))

function newQuestions(limits: Partial<QuestionLimits> = {}): Questions {
  const url = new URL('./fake-reader.mjs', import.meta.url).href
  const questions = new Questions(url, { path: '', version: '' }, { ...LIMITS, ...limits })
  open.push(questions)
  return questions
}

const here = (): AbortSignal => new AbortController().signal
const textOf = ({
  body,
}: Answer): { asked: number; address: string; ended: number; error?: { code: string } } =>
  JSON.parse(new TextDecoder().decode(body))

describe('questions', () => {
  it('that are the same share one answer while it is under way, whatever the order of their parameters', async () => {
    const questions = newQuestions()
    const answers = await Promise.all([
      questions.ask('/a', { x: '1', y: '2' }, here()),
      questions.ask('/a', { y: '2', x: '1' }, here()),
      questions.ask('/a', { x: '1', y: '3' }, here()),
    ])
    expect(answers.map(answer => textOf(answer).asked)).toEqual([1, 1, 2])
    expect(textOf(await questions.ask('/a', { x: '1', y: '2' }, here())).asked).toBe(3)
  })

  it('are ended when the last one who asked has left, not before, and the next one is answered', async () => {
    const questions = newQuestions()
    const [first, second] = [new AbortController(), new AbortController()]
    const answers = [
      questions.ask('/until-left', {}, first.signal),
      questions.ask('/until-left', {}, second.signal),
    ]
    let isSettled = false
    void answers[1]?.then(() => {
      isSettled = true
    })
    first.abort()
    const next = questions.ask('/next', {}, here())
    await new Promise(setImmediate)
    expect(isSettled).toBe(false)
    second.abort()
    expect(textOf(await next)).toMatchObject({ asked: 2, address: '/next' })
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([503, 503])
  })

  it('that wait are dropped when nobody waits any more: the reader never sees them', async () => {
    const questions = newQuestions()
    const [running, waiting] = [new AbortController(), new AbortController()]
    const answers = [
      questions.ask('/until-left', {}, running.signal),
      questions.ask('/dropped', {}, waiting.signal),
    ]
    waiting.abort()
    running.abort()
    await Promise.all(answers)
    expect(textOf(await questions.ask('/last', {}, here())).asked).toBe(2)
  })

  it('beyond what may wait are refused at once', async () => {
    const questions = newQuestions()
    const running = new AbortController()
    const asked = ['/until-left', '/b', '/c'].map(address => questions.ask(address, {}, running.signal))
    const refused = await questions.ask('/d', {}, here())
    expect(textOf(refused).error?.code).toBe('CALLSIGHT_DASHBOARD_BUSY')
    running.abort()
    await Promise.all(asked)
  })

  it('that take too long are answered so, and ended', async () => {
    const questions = newQuestions({ deadlineMs: 300 })
    const slow = await questions.ask('/until-left', {}, here())
    expect(slow.status).toBe(503)
    expect(textOf(slow).error?.code).toBe('CALLSIGHT_DASHBOARD_SLOW')
  })

  it('outlive their reader: who asked hears of its death, the next question has a new one', async () => {
    const questions = newQuestions()
    for (const _ of [1, 2, 3]) {
      expect(textOf(await questions.ask('/die', {}, here())).error?.code).toBe('CALLSIGHT_DASHBOARD_READER')
      expect(textOf(await questions.ask('/alive', {}, here())).asked).toBe(1)
    }
  })

  it('end with the dashboard', async () => {
    const questions = newQuestions()
    const running = questions.ask('/until-left', {}, here())
    await questions.close()
    expect((await running).status).toBe(503)
    expect(textOf(await questions.ask('/late', {}, here())).error?.code).toBe('CALLSIGHT_DASHBOARD_CLOSED')
  })

  it('let idle readers go and start new ones', async () => {
    const questions = newQuestions({ idleMs: 1 })
    expect(textOf(await questions.ask('/a', {}, here())).asked).toBe(1)
    for (let seen = 0; seen !== 1; ) {
      await new Promise(resolve => setTimeout(resolve, 50))
      seen = textOf(await questions.ask('/b', {}, here())).asked
    }
  })
})
