// npm node-taobao-topclient 0.1.7: TOP, md5. It stamps the machine's local time as if it were
// Beijing's, so it works with TZ=Asia/Shanghai and is refused everywhere else.
'use strict'

const assert = require('node:assert')
const TopClient = require('node-taobao-topclient').default
const { handed, app, check, freshCode, at, rows, refused, run } = require('./tap.cjs')

const REST_URL = `${handed.listen}/router/rest`
const client = new TopClient({ appkey: app.app_key, appsecret: app.app_secret, REST_URL })

if (process.env.TZ === 'UTC') {
  check('is told that its time is wrong without TZ=Asia/Shanghai', async () => {
    const error = await refused(() => client.execute('taobao.time.get', {}))
    assert.strictEqual(error.code, 31)
  })
  run()
  return
}

const tokens = {}
const keep = (answer) => {
  const reply = JSON.parse(at(answer, 'token_result'))
  tokens.access = at(reply, 'access_token')
  tokens.refresh = at(reply, 'refresh_token')
}

check('gets a token', async () => {
  keep(await client.execute('taobao.top.auth.token.create', { code: freshCode() }))
})

check('refreshes it', async () => {
  const before = tokens.access
  keep(await client.execute('taobao.top.auth.token.refresh', { refresh_token: tokens.refresh }))
  assert.notStrictEqual(tokens.access, before)
})

for (const method of ['POST', 'GET']) {
  check(`reads a list with ${method}`, async () => {
    const params = { session: tokens.access, fields: 'num_iid,title', page_no: 1, page_size: 5 }
    const answer = await client.execute('taobao.items.onsale.get', params, method)
    assert.strictEqual(rows(answer, 'items.item').length, 5)
  })
}

check('reads a list with other letters in the request', async () => {
  const params = { session: tokens.access, fields: 'num_iid', q: '中文 a&b=c+d%20 😀', id: 'z', idx: 1 }
  at(await client.execute('taobao.items.onsale.get', params), 'total_results')
})

check('is told that the token is wrong', async () => {
  const error = await refused(() =>
    client.execute('taobao.items.onsale.get', { session: '6100invented', fields: 'num_iid' }),
  )
  assert.strictEqual(error.code, 27)
})

check('is told that the signature is wrong when its secret is', async () => {
  const other = new TopClient({ appkey: app.app_key, appsecret: '0'.repeat(app.app_secret.length), REST_URL })
  assert.strictEqual((await refused(() => other.execute('taobao.time.get', {}))).code, 25)
})

run()
