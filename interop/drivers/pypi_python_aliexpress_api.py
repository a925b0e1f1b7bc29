"""PyPI python-aliexpress-api 3.1.0: `/sync`, md5, system parameters in the query and the rest in a form.

Its class `AliexpressApi` has the platform's host built in, so the request classes below it are
driven; they take a host and a port. It has no classes for tokens or seller APIs: subclasses name
them. HTTP only, on any port but 443.
"""

import json

from aliexpress_api.skd import appinfo
from aliexpress_api.skd.api.base import RestApi, TopException
from aliexpress_api.skd.api.rest import AliexpressAffiliateProductQueryRequest
from tap import HOST, KEY, PORT, SECRET, at, check, equal, fresh_code, refused, rows, run

tokens = {}


def named(method):
    """A request class for an API that the package does not know."""
    return type("Named", (RestApi,), {"getapiname": lambda self: method})


def send(request_class, token=None, secret=SECRET, **params):
    request = request_class(HOST, PORT)
    request.set_app_info(appinfo(KEY, secret))
    for name, value in params.items():
        setattr(request, name, value)
    return request.getResponse(token)


def keep(answer):
    # The token reply is a JSON document in a text, as on TOP.
    (wrapper,) = [value for name, value in answer.items() if name.endswith("_response")]
    reply = json.loads(at(wrapper, "token_result"))
    tokens["access"], tokens["refresh"] = at(reply, "access_token"), at(reply, "refresh_token")
    assert tokens["access"] and tokens["refresh"], reply


@check("gets a token")
def create():
    keep(send(named("taobao.top.auth.token.create"), code=fresh_code()))


@check("refreshes it")
def refresh():
    before = tokens["access"]
    keep(send(named("taobao.top.auth.token.refresh"), refresh_token=tokens["refresh"]))
    assert tokens["access"] != before, "the access token did not change"


@check("reads a list")
def read_list():
    answer = send(
        named("aliexpress.solution.product.list.get"),
        tokens["access"],
        aeop_a_e_product_list_query=json.dumps({"product_status_type": "onSelling", "current_page": 1, "page_size": 5}),
    )
    result = at(answer, "aliexpress_solution_product_list_get_response.result")
    # Without `simplify` a list of objects stands under its element's name.
    listed = at(result, "aeop_a_e_product_display_d_t_o_list")
    if isinstance(listed, dict):
        (listed,) = listed.values()
    equal(len(listed), 5)


@check("reads a list through a class of the package, other letters in the request")
def read_affiliate_list():
    answer = send(
        AliexpressAffiliateProductQueryRequest,
        keywords="café 中文 a&b=c+d 😀",
        page_no=1,
        page_size=5,
        tracking_id="",
    )
    # Where `AliexpressApi.get_products` looks for them.
    rows(answer, "aliexpress_affiliate_product_query_response.resp_result.result.products.product")


@check("is told that the token is wrong")
def wrong_token():
    error = refused(TopException, lambda: send(named("aliexpress.solution.product.list.get"), "50000invented",
        aeop_a_e_product_list_query=json.dumps({"product_status_type": "onSelling"})))
    equal(error.errorcode, "IllegalAccessToken")
    assert error.message, "no message"


@check("is told that the signature is wrong when its secret is")
def wrong_secret():
    error = refused(
        TopException, lambda: send(AliexpressAffiliateProductQueryRequest, secret="0" * len(SECRET), keywords="a")
    )
    equal(error.errorcode, "IncompleteSignature")


run()
