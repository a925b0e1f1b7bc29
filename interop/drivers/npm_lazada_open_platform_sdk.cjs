// npm lazada-open-platform-sdk 2.0.0-0: IOP `/rest`, everything in the query; on POST the same once
// more as JSON, which is not signed.
//
// The host of the token calls is a constant of the package, so the driver sets that constant; the
// host of all other calls is a property. It speaks HTTPS only, unless called as below.
'use strict'

const assert = require('node:assert')
const constants = require('lazada-open-platform-sdk/lib/LazadaClient/constants')
const LazadaAPI = require('lazada-open-platform-sdk')
const { handed, app, check, freshCode, at, rows, refused, run } = require('./tap.cjs')

const gateway = `${handed.host}:${handed.port}/rest`
constants.GATEWAY.AUTH = gateway

const tokens = {}
const call = (action, args, method = 'GET', secret = app.app_secret) => {
  const api = new LazadaAPI(app.app_key, secret, 'SINGAPORE', tokens.access)
  return api.client[action](app.app_key, secret, gateway, tokens.access, args, method, 'HTTP')
}
const keep = (reply) => {
  tokens.access = at(reply, 'access_token')
  tokens.refresh = at(reply, 'refresh_token')
}

check('gets a token', async () => keep(await call('generateAccessToken', { code: freshCode() }, 'POST')))

check('refreshes it', async () => {
  const before = tokens.access
  keep(await call('refreshAccessToken', { refresh_token: tokens.refresh }, 'POST'))
  assert.notStrictEqual(tokens.access, before)
})

check('reads a list', async () => {
  const reply = await call('getProducts', { filter: 'all', limit: 5, offset: 0 })
  assert.strictEqual(rows(reply, 'data.products').length, 5)
})

check('is told that the token is wrong', async () => {
  const good = tokens.access
  tokens.access = '50000invented'
  const error = await refused(() => call('getProducts', { filter: 'all' }))
  tokens.access = good
  assert.strictEqual(error.code, 'IllegalAccessToken')
})

check('is told that the signature is wrong when its secret is', async () => {
  const error = await refused(() => call('getProducts', { filter: 'all' }, 'GET', '0'.repeat(app.app_secret.length)))
  assert.strictEqual(error.code, 'IncompleteSignature')
})

run()
