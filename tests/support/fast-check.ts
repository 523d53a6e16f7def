import fc from 'fast-check'

// Without this a list or text of at most 300 that says nothing more has never more than 10.
fc.configureGlobal({ defaultSizeToMaxWhenMaxSpecified: true })

export default fc
export * from 'fast-check'
