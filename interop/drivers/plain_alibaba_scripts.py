"""The flow of scripts that call Alibaba.com with plain `requests`: authorize, create, refresh, read.

No SDK: the script signs by itself, keeps its tokens and their ends in a `.env` file, and does
arithmetic with the numbers of the reply (`timedelta(seconds=reply["expires_in"])`).
"""

import datetime
import hashlib
import hmac
import json
import pathlib
import time

import requests

from tap import BASE, KEY, SECRET, at, check, equal, fresh_code, rows, run

ENV = pathlib.Path(".env")
session = {}


def signed(path, parameters):
    text = path + "".join(name + parameters[name] for name in sorted(parameters))
    return hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest().upper()


def post(path, parameters, secret_call=False):
    """Posts a form. Business calls name the path once more in `method`, and sign it."""
    form = {"app_key": KEY, "sign_method": "sha256", "timestamp": str(int(time.time() * 1000))}
    if not secret_call:
        form.update(format="json", method=path, access_token=session["ACCESS_TOKEN"])
    form.update(parameters)
    form["sign"] = signed(path, form)
    reply = requests.post(BASE + "/rest" + path, data=form, headers={"X-Protocol": "GOP"}, timeout=20)
    reply.raise_for_status()
    return reply.json()


def save(reply):
    """Writes the tokens and the times at which they end, as the scripts do."""
    now = datetime.datetime.now()
    session.update(
        ACCESS_TOKEN=reply["access_token"],
        REFRESH_TOKEN=reply["refresh_token"],
        ACCESS_TOKEN_ENDS=str(now + datetime.timedelta(seconds=reply["expires_in"])),
        REFRESH_TOKEN_ENDS=str(now + datetime.timedelta(seconds=reply["refresh_expires_in"])),
        ACCOUNT_ID=reply["user_info"]["user_id"],
    )
    ENV.write_text("".join(f"{name}={value}\n" for name, value in session.items()))


@check("creates a token and adds its seconds to the time")
def create():
    reply = post("/auth/token/create", {"code": fresh_code()}, secret_call=True)
    equal(reply["code"], "0")
    save(reply)
    assert "ACCESS_TOKEN_ENDS=20" in ENV.read_text(), ENV.read_text()


@check("refreshes it and adds the seconds again")
def refresh():
    before = session["ACCESS_TOKEN"]
    reply = post("/auth/token/refresh", {"refresh_token": session["REFRESH_TOKEN"]}, secret_call=True)
    equal(reply["code"], "0")
    save(reply)
    assert session["ACCESS_TOKEN"] != before, "the access token did not change"


@check("walks the product list to its end")
def walk():
    seen, page = set(), 1
    while True:
        reply = post(
            "/alibaba/icbu/product/list",
            {"filter_type": "onSelling", "current_page": str(page), "page_size": "30"},
        )
        equal(at(reply, "result.curr_page"), page)
        seen.update(row["id"] for row in rows(reply, "result.products"))
        if len(seen) >= at(reply, "result.total_item"):
            break
        page += 1
    equal(len(seen), 120)
    session["PRODUCT"] = str(max(seen))


@check("reads the category tree from its root")
def categories():
    root = post("/icbu/product/category/get", {"cat_id": "0"})
    child = str(rows(root, "result.result.child_ids")[0])
    equal(str(at(post("/icbu/product/category/get", {"cat_id": child}), "result.result.category_id")), child)


@check("maps an id, reads a level of the schema and the groups")
def others():
    mapping = post("/alibaba/icbu/category/id/mapping", {"convert_type": "1", "cat_id": "21110712"})
    assert at(mapping, "result.success") is True, mapping
    level = post(
        "/icbu/product/schema/level/get",
        {"cat_id": "21110712", "language": "en_US", "xml": "<itemSchema/>"},
    )
    equal(level["code"], "0")
    equal(post("/alibaba/icbu/product/group/get", {"group_id": "-1"})["code"], "0")
    equal(post("/icbu/product/photobank/group/list", {})["code"], "0")


@check("reads one product, in both versions")
def one_product():
    request = json.dumps({"productId": session["PRODUCT"]})
    equal(post("/icbu/product/get", {"product_get_request": request})["code"], "0")
    newer = post("/alibaba/icbu/product/get/v2", {"product_id": session["PRODUCT"]})
    equal(str(at(newer, "product_info.basic_info.product_id")), session["PRODUCT"])


@check("is told that the token is wrong")
def wrong_token():
    reply = post("/alibaba/icbu/product/list", {"access_token": "50000invented"})
    equal(reply["code"], "IllegalAccessToken")


run()
