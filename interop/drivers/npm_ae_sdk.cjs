// npm ae_sdk 0.6.0: IOP `/rest` and `/sync`, HMAC-SHA256, everything in the query of a POST.
//
// It sorts names by the rules of a locale and not by their bytes, so that one of its calls below
// must be refused. It takes an error on `/rest` (HTTP 200, no `error_response`) for a success.
'use strict'

const assert = require('node:assert')
const { DropshipperClient } = require('ae_sdk')
const { handed, app, check, freshCode, at, rows, run } = require('./tap.cjs')

/** The package has the platform's hosts built in; a subclass sets its fields. */
class Client extends DropshipperClient {
  constructor(session, secret = app.app_secret) {
    super({ app_key: app.app_key, app_secret: secret, session })
    this.new_apis_url = `${handed.listen}/rest`
    this.migrated_apis_url = `${handed.listen}/sync`
  }
}

const tokens = {}
const done = (answer) => {
  assert.ok(answer.ok, JSON.stringify(answer))
  return answer.data
}
const keep = (answer) => {
  const reply = done(answer)
  assert.strictEqual(reply.code, '0', JSON.stringify(reply))
  tokens.access = at(reply, 'access_token')
  tokens.refresh = at(reply, 'refresh_token')
}

check('gets a token', async () => keep(await new Client('').generateToken({ code: freshCode() })))

check('gets a token by the security path, a stale session beside the code', async () =>
  keep(await new Client('50000stale').generateSecurityToken({ code: freshCode() })))

check('refreshes it', async () => {
  const before = tokens.access
  keep(await new Client(tokens.access).refreshToken({ refresh_token: tokens.refresh }))
  assert.notStrictEqual(tokens.access, before)
})

// One that the sandbox sells.
let product

check('reads a list', async () => {
  const query = JSON.stringify({ product_status_type: 'onSelling', current_page: 1, page_size: 5 })
  const method = 'aliexpress.solution.product.list.get'
  const data = done(await new Client(tokens.access).callAPIDirectly(method, { aeop_a_e_product_list_query: query }))
  // It always asks for `simplify`: no wrapper, plain lists.
  const products = rows(data, 'result.aeop_a_e_product_display_d_t_o_list')
  assert.strictEqual(products.length, 5)
  product = products[0].product_id
})

check('reads a product', async () => {
  // Not with its own `productDetails`: see the README.
  const args = { product_id: product, ship_to_country: 'US', target_currency: 'USD', target_language: 'en' }
  at(done(await new Client(tokens.access).callAPIDirectly('aliexpress.ds.product.get', args)), 'result')
})

check('is refused where its order of names is not that of bytes', async () => {
  const names = { product_id: 1, ship_to_country: 'US', image_2: 'b', image1: 'a', SKU: '1' }
  const answer = await new Client(tokens.access).callAPIDirectly('aliexpress.ds.product.get', names)
  assert.strictEqual(answer.ok, false, JSON.stringify(answer))
  assert.strictEqual(answer.error_response.code, 'IncompleteSignature')
})

check('is told that the token is wrong', async () => {
  const query = JSON.stringify({ product_status_type: 'onSelling' })
  const method = 'aliexpress.solution.product.list.get'
  const answer = await new Client('50000invented').callAPIDirectly(method, { aeop_a_e_product_list_query: query })
  assert.strictEqual(answer.ok, false, JSON.stringify(answer))
  assert.strictEqual(answer.error_response.code, 'IllegalAccessToken')
})

check('is told on /rest that the signature is wrong, and calls that a success', async () => {
  const answer = await new Client('', '0'.repeat(app.app_secret.length)).generateToken({ code: 'x' })
  assert.strictEqual(done(answer).code, 'IncompleteSignature')
})

run()
