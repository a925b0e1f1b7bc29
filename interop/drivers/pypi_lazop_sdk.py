"""PyPI lazop-sdk 1.0.3: IOP `/rest`, HMAC-SHA256. One driver, three platforms.

Importing it makes `~/logs`, so the runner gives it a home of its own.
"""

import io

from tap import BASE, KEY, PLATFORM, SECRET, at, check, equal, fresh_code, rows, run

from lazop_sdk import LazopClient, LazopRequest

LISTS = {
    "lazada": ("GET", "/products/get", {"filter": "all", "limit": "5", "offset": "0"}, "data.products"),
    "alibaba": ("POST", "/alibaba/icbu/product/list", {"current_page": "1", "page_size": "5"}, "result.products"),
}

client = LazopClient(BASE + "/rest", KEY, SECRET)
tokens = {}


def call(method, path, params, token=None, through=client):
    request = LazopRequest(path, method)
    for name, value in params.items():
        request.add_api_param(name, value)
    return through.execute(request, token)


def keep(response):
    equal(response.code, "0")
    tokens["access"] = at(response.body, "access_token")
    tokens["refresh"] = at(response.body, "refresh_token")
    assert tokens["access"] and tokens["refresh"], response.body


@check("gets a token with POST")
def create():
    keep(call("POST", "/auth/token/create", {"code": fresh_code()}))


@check("gets a token with GET, and not a second one for the same code")
def create_once():
    code = fresh_code()
    keep(call("GET", "/auth/token/create", {"code": code}))
    again = call("GET", "/auth/token/create", {"code": code})
    equal((again.code, again.type), ("InvalidCode", "ISV"))


@check("refreshes it")
def refresh():
    before = tokens["access"]
    keep(call("GET", "/auth/token/refresh", {"refresh_token": tokens["refresh"]}))
    assert tokens["access"] != before, "the access token did not change"


@check("is told that a refresh token is not one")
def refresh_nothing():
    response = call("POST", "/auth/token/refresh", {"refresh_token": "50001invented"})
    equal(response.code, "IllegalRefreshToken")


@check("reads a list")
def read_list():
    method, path, params, where = LISTS[PLATFORM]
    response = call(method, path, params, tokens["access"])
    assert response.code in ("0", None), (response.code, response.message)
    equal(len(rows(response.body, where)), 5)
    assert response.request_id, "no request id"


@check("reads a list with other letters, signs and an empty value in the request")
def read_list_with_letters():
    method, path, params, _ = LISTS[PLATFORM]
    name = "search" if PLATFORM == "lazada" else "subject"
    response = call(method, path, {**params, name: "café 中文 a&b=c+d%20~*\n😀", "empty": ""}, tokens["access"])
    assert response.code in ("0", None), (response.code, response.message)


@check("is told that the token is wrong")
def wrong_token():
    method, path, params, _ = LISTS[PLATFORM]
    response = call(method, path, params, "50000invented")
    equal((response.code, response.type), ("IllegalAccessToken", "ISV"))
    assert response.message and response.request_id, response


@check("is told that the signature is wrong when its secret is")
def wrong_secret():
    method, path, params, _ = LISTS[PLATFORM]
    other = LazopClient(BASE + "/rest", KEY, "0" * len(SECRET))
    response = call(method, path, params, tokens["access"], through=other)
    equal(response.code, "IncompleteSignature")


@check("is told that there is no such API")
def no_such_api():
    response = call("GET", "/no/such/path", {}, tokens["access"])
    equal(response.code, "InvalidApiPath")


if PLATFORM == "lazada":

    @check("uploads an image as a part that is not signed")
    def upload():
        request = LazopRequest("/image/upload")
        request.add_file_param("image", ("a.png", io.BytesIO(b"\x89PNG\r\n\x1a\n" + bytes(64)), "image/png"))
        equal(client.execute(request, tokens["access"]).code, "0")


run()
