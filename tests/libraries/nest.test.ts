import { expect } from 'vitest'
import { describeLibrary } from './library.js'

describeLibrary({
  name: 'nest.legacy',
  dialects: ['legacy'],
  ends: {
    'AboveClass.index': { ok: 2, failed: 0 },
    'AboveClass.open': { ok: 2, failed: 0 },
    'BelowClass.own': { ok: 1, failed: 0 },
    'Cats.add': { ok: 1, failed: 0 },
    'Cats.beforeApplicationShutdown': { ok: 1, failed: 0 },
    'Cats.find': { ok: 1, failed: 1 },
    'Cats.onApplicationBootstrap': { ok: 1, failed: 0 },
    'Cats.onApplicationShutdown': { ok: 1, failed: 0 },
    'Cats.onModuleInit': { ok: 1, failed: 0 },
    'CatsController.add': { ok: 1, failed: 0 },
    'CatsController.answered': { ok: 1, failed: 0 },
    'CatsController.broken': { ok: 0, failed: 1 },
    'CatsController.doubled': { ok: 1, failed: 1 },
    'CatsController.events': { ok: 1, failed: 0 },
    'CatsController.file': { ok: 1, failed: 0 },
    'CatsController.gone': { ok: 0, failed: 1 },
    'CatsController.observed': { ok: 1, failed: 0 },
    'CatsController.old': { ok: 2, failed: 0 },
    'CatsController.one': { ok: 1, failed: 1 },
    'CatsController.passed': { ok: 1, failed: 0 },
    'CatsController.search': { ok: 1, failed: 0 },
    'Doubled.transform': { ok: 3, failed: 1 },
    'MethodGuarded.above': { ok: 1, failed: 0 },
    'MethodGuarded.below': { ok: 1, failed: 0 },
    'MethodGuarded.between': { ok: 1, failed: 0 },
    'MethodGuarded.middle': { ok: 1, failed: 0 },
    'MethodGuarded.thrice': { ok: 3, failed: 0 },
    'NewCat.describe': { ok: 1, failed: 0 },
    'RolesGuard.canActivate': { ok: 29, failed: 0 },
    'Timed.intercept': { ok: 1, failed: 0 },
    'Traced.use': { ok: 48, failed: 0 },
    'TypeErrors.catch': { ok: 2, failed: 0 },
    'Visitor.told': { ok: 3, failed: 0 },
    'VisitorController.who': { ok: 3, failed: 0 },
    'Wrapped.intercept': { ok: 2, failed: 0 },
    greeting: { ok: 1, failed: 0 },
    timed: { ok: 2, failed: 0 },
  },
  readable: place => {
    const found = place.rows<{ args: string; result: string }>(
      `SELECT args, result FROM recent_calls WHERE function = 'CatsController.search'`,
    )
    expect(found).toEqual([{ args: '["Tom",4,"Grace"]', result: '{"name":"Tom","page":4,"who":"Grace"}' }])
    const [middleware] = place.rows<{ args: string }>(
      `SELECT args FROM recent_calls WHERE function = 'Traced.use' LIMIT 1`,
    )
    expect(JSON.parse(middleware?.args ?? '')).toEqual([
      { '@class': 'IncomingMessage', method: 'GET', url: expect.any(String), headers: expect.any(Number) },
      { '@class': 'ServerResponse', statusCode: 200, finished: false },
      '[Function next]',
    ])
  },
})
