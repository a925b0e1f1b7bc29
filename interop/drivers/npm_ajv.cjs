// Forms as JSON Schemas, judged by `ajv`: it takes the products that Sesame's check takes, and no others.
'use strict'

const fs = require('node:fs')
const path = require('node:path')
const Ajv = require('ajv/dist/2020').default
const { check, run } = require('./tap.cjs')

const SNAPSHOT = path.join(__dirname, '../../crates/schema/tests/it/snapshots/it__json_schema__pairs.snap')

// After a head, each line is a schema, the products that fit it, and those that do not.
const lines = fs.readFileSync(SNAPSHOT, 'utf8').split('\n---\n')[1].trim().split('\n')
const forms = lines.map((line) => JSON.parse(line))
// Keys that begin with `x-` are not in any vocabulary.
const validators = () => forms.map(([schema]) => new Ajv({ strict: false }).compile(schema))

const judged = (side, expected) => () => {
  const all = validators()
  let count = 0
  forms.forEach((form, at) => {
    for (const product of form[side]) {
      count += 1
      if (all[at](product) !== expected) {
        throw new Error(`form ${at}: ${JSON.stringify(product)} ${JSON.stringify(all[at].errors)}`)
      }
    }
  })
  if (count < 50) throw new Error(`${count} products`)
}

check('all forms are schemas of draft 2020-12', () => {
  for (const [schema] of forms) {
    const ajv = new Ajv({ strict: false })
    if (!ajv.validateSchema(schema)) throw new Error(ajv.errorsText())
  }
})
check('products without errors fit', judged(1, true))
check('products with errors do not', judged(2, false))

run()
