import { afterAll, describe, expect, it } from 'vitest'
import { type Dialect, load, Place } from './fixtures.js'

type Fixture = typeof import('../fixtures/src/semantics-metadata.js')

const place = new Place()
process.env['CALLSIGHT_DB'] = place.store
afterAll(() => place.dispose())

describe.each<Dialect>(['standard', 'legacy'])('metadata of other decorators, %s dialect', dialect => {
  it('is on the function that is called, whichever decorator stands above', async () => {
    const { declareRoutes, metadataOf } = await load<Fixture>(dialect, 'semantics-metadata')
    const Routes = declareRoutes({})
    const { below, above, both, steps, later } = Routes.prototype
    expect(metadataOf('roles', below)).toEqual(['below'])
    expect(metadataOf('roles', above)).toEqual(['above'])
    expect(metadataOf('roles', both)).toEqual(['outer'])
    expect(metadataOf('roles', Routes.shared)).toEqual(['static'])
    expect(metadataOf('roles', steps)).toEqual(['generator'])
    expect(metadataOf('roles', later)).toEqual(['async'])
    const getter = Object.getOwnPropertyDescriptor(Routes.prototype, 'size')?.get
    expect(metadataOf('roles', getter as object)).toEqual(['getter'])
    expect(metadataOf('nothing', below)).toBe(undefined)
    expect(new Routes().below('id', 1)).toBe('id')
  })
})

describe.each<Dialect>(['standard', 'legacy'])('metadata under a decorated class, %s dialect', dialect => {
  it('is on the functions that are called', async () => {
    const { declareGuarded, metadataOf } = await load<Fixture>(dialect, 'semantics-metadata')
    const Guarded = declareGuarded({ sample: 0 })
    expect(metadataOf('roles', Guarded.prototype.remove)).toEqual(['admin'])
    expect(metadataOf('roles', Guarded.shared)).toEqual(['static'])
    const getter = Object.getOwnPropertyDescriptor(Guarded.prototype, 'size')?.get
    expect(metadataOf('roles', getter as object)).toEqual(['getter'])
    expect(metadataOf('route', Guarded.prototype, 'remove')).toBe(dialect === 'legacy' ? '/whole' : undefined)
    expect(new Guarded().remove('id')).toBe('id')
  })
})

describe('metadata of prototype and key, legacy dialect', () => {
  it('stays, as do the types the compiler emits', async () => {
    const { declareRoutes, metadataOf } = await load<Fixture>('legacy', 'semantics-metadata')
    const Routes = declareRoutes({})
    expect(metadataOf('route', Routes.prototype, 'below')).toBe('/below')
    expect(metadataOf('route', Routes.prototype, 'above')).toBe('/above')
    expect(metadataOf('route', Routes, 'shared')).toBe('/static')
    expect(metadataOf('design:paramtypes', Routes.prototype, 'below')).toEqual([String, Number])
    expect(metadataOf('design:returntype', Routes.prototype, 'above')).toBe(String)
    expect(metadataOf('design:type', Routes.prototype, 'below')).toBe(Function)
  })
})
