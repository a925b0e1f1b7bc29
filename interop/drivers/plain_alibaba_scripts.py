"""The flow of scripts that call Alibaba.com with plain `requests`: authorize, create, refresh, read.

No SDK: the script signs by itself, keeps its tokens and their ends in a `.env` file, and does
arithmetic with the numbers of the reply (`timedelta(seconds=reply["expires_in"])`).
"""

import datetime
import hashlib
import hmac
import json
import os
import pathlib
import subprocess
import time
import urllib.parse

import requests

from tap import APP, BASE, KEY, PROGRAM, SECRET, at, check, equal, rows, run

ENV = pathlib.Path(".env")
session = {"APP_KEY": KEY, "APP_SECRET": SECRET, "REDIRECT_URI": APP["redirect_uri"]}


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
        EXPIRES_AT=str(now + datetime.timedelta(seconds=reply["expires_in"])),
        REFRESH_EXPIRES_AT=str(now + datetime.timedelta(seconds=reply["refresh_expires_in"])),
        ACCOUNT=reply["account"],
        ACCOUNT_ID=reply["user_info"]["user_id"],
    )
    ENV.write_text("".join(f"{name}={value}\n" for name, value in session.items()))


@check("finds the code in the address that the authorize page leads to")
def authorize():
    query = {
        "response_type": "code", "force_auth": "true",
        "redirect_uri": session["REDIRECT_URI"], "client_id": KEY,
    }
    page = requests.get(f"{BASE}/oauth/authorize?{urllib.parse.urlencode(query)}", timeout=20, allow_redirects=False)
    equal(page.status_code, 302)
    address = urllib.parse.urlsplit(page.headers["location"])
    session["CODE"] = urllib.parse.parse_qs(address.query)["code"][0]


@check("creates a token and adds its seconds to the time")
def create():
    reply = post("/auth/token/create", {"code": session.pop("CODE")}, secret_call=True)
    equal(reply["code"], "0")
    save(reply)
    assert "EXPIRES_AT=20" in ENV.read_text(), ENV.read_text()


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
            {
                "filter_type": "onSelling", "current_page": str(page), "page_size": "30",
                "schema_custom_fields": "model,4sgm_SKU",
            },
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


@check("its .env is read by sesame, and the shop works on")
def moves():
    shell = {
        **os.environ, "SESAME_HOME": str(pathlib.Path("moved").resolve()), "SESAME_ENDPOINT": BASE,
        "SESAME_MASTER_KEY": "",
    }

    def sesame(*words):
        done = subprocess.run([PROGRAM, *words], env=shell, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{words}: {done.returncode} {done.stdout} {done.stderr}"
        return done.stdout

    sesame("vault", "import", "--env-file", ".env", "--platform", "alibaba", "--timezone", "Asia/Manila", "--as", "shop")
    equal(sesame("token", "shop").strip(), session["ACCESS_TOKEN"])
    listed = json.loads(sesame("products", "list", "shop", "--all", "-o", "json"))
    equal(len(listed), 120)


@check("is told that the token is wrong")
def wrong_token():
    reply = post("/alibaba/icbu/product/list", {"access_token": "50000invented"})
    equal(reply["code"], "IllegalAccessToken")


run()
