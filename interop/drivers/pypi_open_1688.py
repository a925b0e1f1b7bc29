"""PyPI open-1688 0.0.1: param2, HMAC-SHA1 over the joined texts in order.

It has classes for buyers' APIs only, so subclasses name the token calls and the seller's list. It
speaks plain HTTP wherever a class does not ask for HTTPS. It signs token calls too, which the
gateway allows. Empty values, zero and False never leave it.
"""

from aop.api import AlibabaTradeGetBuyerOrderListParam, BaseApi
from aop.exceptions import ApiError
from aop.structure import AppInfo
from tap import APP, HOST, KEY, PLATFORM, PORT, SECRET, at, check, equal, fresh_code, refused, run

DOMAIN = f"{HOST}:{PORT}"
tokens = {}


class Named(BaseApi):
    """An API that the package has no class for."""

    def __init__(self, uri, secret=SECRET):
        super().__init__(AppInfo(KEY, secret), DOMAIN)
        # Two underscores keep the name out of the parameters: the package sends every other attribute.
        self.__dict__["__uri"] = uri

    def get_api_uri(self):
        return self.__dict__["__uri"]

    def need_sign(self):
        return True


LISTS = {
    "1688": ("1/com.alibaba.product/alibaba.product.list.get", {"pageNo": "1", "pageSize": "5"}),
    "aliexpress-legacy": (
        "1/aliexpress.open/api.findAeProductDetailModuleListByQurey",
        {"moduleStatus": "approved", "pageIndex": "1"},
    ),
}


def first_list(document):
    """Returns the first list of objects in a reply: param2 has no envelope and every API its own form."""
    if isinstance(document, list) and document and isinstance(document[0], dict):
        return document
    inner = document.values() if isinstance(document, dict) else []
    return next((found for found in map(first_list, inner) if found), None)


def get_token(**params):
    return Named("1/system.oauth2/getToken").get_response(client_id=KEY, client_secret=SECRET, **params)


@check("gets a token")
def create():
    reply = get_token(
        grant_type="authorization_code",
        need_refresh_token="true",
        redirect_uri=APP["redirect_uri"],
        code=fresh_code(),
    )
    tokens["access"], tokens["refresh"] = at(reply, "access_token"), at(reply, "refresh_token")
    assert at(reply, "refresh_token_timeout"), reply


@check("refreshes it, and keeps the refresh token")
def refresh():
    for _ in range(2):
        reply = get_token(grant_type="refresh_token", refresh_token=tokens["refresh"])
        assert reply["access_token"] and "refresh_token" not in reply, reply
    tokens["access"] = reply["access_token"]


@check("reads a list")
def read_list():
    uri, params = LISTS[PLATFORM]
    reply = Named(uri).get_response(access_token=tokens["access"], **params)
    assert first_list(reply), reply


@check("reads a list with other letters in the request")
def read_list_with_letters():
    uri, params = LISTS[PLATFORM]
    Named(uri).get_response(access_token=tokens["access"], **params, q="中文 a&b=c+d%20 😀", id="z", idx="1")


if PLATFORM == "1688":

    @check("reads a list through a class of the package")
    def read_orders():
        # Numbers as texts: the package joins them with `+` and fails on an int.
        request = AlibabaTradeGetBuyerOrderListParam(
            AppInfo(KEY, SECRET), tokens["access"], DOMAIN, page="1", page_size="5"
        )
        assert request.get_response(), "an empty reply"


@check("is told that the token is wrong")
def wrong_token():
    uri, params = LISTS[PLATFORM]
    error = refused(ApiError, lambda: Named(uri).get_response(access_token="invented", **params))
    equal(error.error_code, "401")


@check("is told that the signature is wrong when its secret is")
def wrong_secret():
    uri, params = LISTS[PLATFORM]
    error = refused(
        ApiError, lambda: Named(uri, "0" * len(SECRET)).get_response(access_token=tokens["access"], **params)
    )
    equal(error.error_code, "gw.SignatureInvalid")


@check("is told that there is no such API")
def no_such_api():
    error = refused(ApiError, lambda: Named("1/no.such/api").get_response(access_token=tokens["access"]))
    equal(error.error_code, "gw.APIUnsupported")


run()
