"""PyPI py-taobao-open 1.0.3: TOP, md5, the time in milliseconds."""

import json

from taobao_open import appinfo
from taobao_open.api import TimeGetRequest, TopAuthTokenCreateRequest, TopAuthTokenRefreshRequest
from taobao_open.api.base import RestApi, TopException
from tap import HOST, KEY, PORT, SECRET, at, check, equal, fresh_code, refused, rows, run

tokens = {}


class ItemsOnsaleGet(RestApi):
    """The package has no class for the seller's own list; this one names it."""

    def getapiname(self):
        return "taobao.items.onsale.get"


def send(request_class, token=None, secret=SECRET, **params):
    request = request_class(HOST, PORT)
    request.set_app_info(appinfo(KEY, secret))
    for name, value in params.items():
        setattr(request, name, value)
    return request.getResponse(token)


def keep(answer, wrapper):
    reply = json.loads(at(answer, wrapper + ".token_result"))
    tokens["access"], tokens["refresh"] = at(reply, "access_token"), at(reply, "refresh_token")
    assert tokens["access"] and tokens["refresh"], reply


@check("gets a token")
def create():
    keep(send(TopAuthTokenCreateRequest, code=fresh_code()), "top_auth_token_create_response")


@check("refreshes it")
def refresh():
    before = tokens["access"]
    keep(send(TopAuthTokenRefreshRequest, refresh_token=tokens["refresh"]), "top_auth_token_refresh_response")
    assert tokens["access"] != before, "the access token did not change"


@check("reads the time without a token")
def read_time():
    at(send(TimeGetRequest), "time_get_response.time")


@check("reads a list")
def read_list():
    answer = send(ItemsOnsaleGet, tokens["access"], fields="num_iid,title,price", page_no=1, page_size=5)
    equal(len(rows(answer, "items_onsale_get_response.items.item")), 5)


@check("reads a list with other letters in the request")
def read_list_with_letters():
    answer = send(ItemsOnsaleGet, tokens["access"], fields="num_iid", q="中文 a&b=c+d%20 😀", id="z", idx=1)
    at(answer, "items_onsale_get_response.total_results")


@check("is told that the token is wrong")
def wrong_token():
    error = refused(TopException, lambda: send(ItemsOnsaleGet, "6100invented", fields="num_iid"))
    equal(error.errorcode, 27)


@check("is told that the signature is wrong when its secret is")
def wrong_secret():
    error = refused(TopException, lambda: send(TimeGetRequest, secret="0" * len(SECRET)))
    equal(error.errorcode, 25)


@check("is told that there is no such API")
def no_such_api():
    unknown = type("Unknown", (RestApi,), {"getapiname": lambda self: "taobao.no.such.method"})
    equal(refused(TopException, lambda: send(unknown)).errorcode, 22)


run()
