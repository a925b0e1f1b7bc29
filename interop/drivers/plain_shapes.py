"""Ways of asking that one client or another has, each in a few calls with plain `requests`.

What the vendor's SDKs send on param2 (`redirect_uri=default`, `refreshToken`), a client that posts JSON
and reads a flat token reply, one that reads version 2 of the product calls as they are live, and one that
always sends an empty list of SKUs.
"""

import hashlib
import hmac
import json
import time

import requests

from tap import APP, BASE, KEY, PLATFORM, SECRET, at, check, equal, fresh_code, rows, run

session = {}


def signed(path, parameters):
    text = path + "".join(name + str(parameters[name]) for name in sorted(parameters))
    return hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest().upper()


def iop(path, parameters, as_json=False):
    asked = {"app_key": KEY, "sign_method": "sha256", "timestamp": int(time.time() * 1000), **parameters}
    if "token" in session:
        asked["access_token"] = session["token"]
    asked["sign"] = signed(path, asked)
    body = {"json": asked} if as_json else {"data": asked}
    reply = requests.post(BASE + "/rest" + path, timeout=20, **body)
    reply.raise_for_status()
    return reply.json()


def get_token(way, parameters):
    asked = {"client_id": KEY, "client_secret": SECRET, **parameters}
    url = f"{BASE}/openapi/param2/1/system.oauth2/getToken/{KEY}"
    reply = requests.get(url, params=asked, timeout=20) if way == "GET" else requests.post(url, data=asked, timeout=20)
    equal(reply.status_code, 200)
    return reply.json()


def param2():
    @check("takes redirect_uri=default, by GET as one SDK asks")
    def create():
        reply = get_token("GET", {
            "grant_type": "authorization_code", "need_refresh_token": "true",
            "redirect_uri": "default", "code": fresh_code(),
        })
        session["refresh"] = at(reply, "refresh_token")

    @check("takes refreshToken in camel case")
    def refresh():
        reply = get_token("POST", {"grant_type": "refresh_token", "refreshToken": session["refresh"]})
        at(reply, "access_token")

    @check("is told that its clock is wrong, and asks for the time")
    def clock():
        url = f"{BASE}/openapi/param2/1/com.alibaba.product/alibaba.category.get/{KEY}"
        late = {"categoryID": 0, "_aop_timestamp": int(time.time() * 1000) - 8 * 3_600_000}
        reply = requests.post(url, data=late, timeout=20)
        equal((reply.status_code, reply.json()["error_code"]), (400, "400"))
        assert "expired" in reply.json()["error_message"], reply.text
        now = requests.get(f"{BASE}/openapi/param2/1/system/currentTimeMillis/{KEY}", timeout=20).json()
        equal(requests.post(url, data={**late, "_aop_timestamp": now}, timeout=20).status_code, 200)


def flat():
    @check("posts JSON and finds its ids at the top of the reply")
    def create():
        reply = iop("/auth/token/create", {"code": fresh_code()}, as_json=True)
        for name in ("access_token", "refresh_token", "seller_id", "user_id", "short_code", "account"):
            assert isinstance(at(reply, name), str), reply
        session["refresh"] = reply["refresh_token"]

    @check("refreshes by JSON")
    def refresh():
        equal(iop("/auth/token/refresh", {"refresh_token": session["refresh"]}, as_json=True)["code"], "0")


def version_2():
    @check("finds version 2 of the product calls without a wrapper")
    def read():
        session["token"] = iop("/auth/token/create", {"code": fresh_code()})["access_token"]
        found = iop("/alibaba/icbu/product/search/v2", {"page_index": 1, "page_size": 20})
        product = at(rows(found, "product_info")[0], "basic_info.product_id")
        one = iop("/alibaba/icbu/product/get/v2", {"product_id": product})
        equal((at(one, "success"), at(one, "product_info.basic_info.product_id")), (True, product))

    @check("finds an order of the list again, by its id")
    def order():
        listed = iop("/alibaba/order/list", {"role": "seller", "start_page": 0, "page_size": 10})
        wanted = rows(listed, "value.order_list")[0]
        found = iop("/alibaba/order/get", {"e_trade_id": wanted["trade_id"]})
        equal(at(found, "value.trade_id"), wanted["trade_id"])
        equal(at(found, "value.trade_status"), wanted["trade_status"])


def empty_list():
    @check("lists products although it always sends an empty list of SKUs")
    def products():
        session["token"] = iop("/auth/token/create", {"code": fresh_code()})["access_token"]
        reply = iop("/products/get", {"filter": "all", "limit": 50, "offset": 0, "sku_seller_list": json.dumps([])})
        equal(len(rows(reply, "data.products")), 50)


{"1688": param2, "taobao-global": flat, "alibaba": version_2, "lazada": empty_list}[PLATFORM]()
run()
