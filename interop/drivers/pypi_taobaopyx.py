"""PyPI taobaopyx 0.1.1: TOP, HMAC-MD5 (`sign_method=hmac`), asynchronous.

It stamps the machine's local time as if it were Beijing's: run with TZ=Asia/Shanghai.
"""

import asyncio
import json

from tap import BASE, KEY, SECRET, at, check, equal, fresh_code, refused, rows, run

from taobaopyx.taobao import AsyncTaobaoAPIClient, TaobaoAPIError

tokens = {}


def call(method, secret=SECRET, **params):
    async def once():
        client = AsyncTaobaoAPIClient(KEY, secret, BASE)
        try:
            return await getattr(client, method)(**params)
        finally:
            await client.aclose()

    return asyncio.run(once())


def keep(answer, wrapper):
    reply = json.loads(at(answer, wrapper + ".token_result"))
    tokens["access"], tokens["refresh"] = at(reply, "access_token"), at(reply, "refresh_token")


@check("gets a token")
def create():
    keep(call("taobao.top.auth.token.create", code=fresh_code()), "top_auth_token_create_response")


@check("refreshes it")
def refresh():
    keep(
        call("taobao.top.auth.token.refresh", refresh_token=tokens["refresh"]), "top_auth_token_refresh_response"
    )


@check("reads a list")
def read_list():
    answer = call(
        "taobao.items.onsale.get", session=tokens["access"], fields="num_iid,title", q=None, page_no=1, page_size=5
    )
    equal(len(rows(answer, "items_onsale_get_response.items.item")), 5)


@check("is told that the token is wrong")
def wrong_token():
    error = refused(TaobaoAPIError, lambda: call("taobao.items.onsale.get", session="6100invented", fields="title"))
    equal(error.code, 27)


@check("is told that the signature is wrong when its secret is")
def wrong_secret():
    equal(refused(TaobaoAPIError, lambda: call("taobao.time.get", secret="0" * len(SECRET))).code, 25)


run()
