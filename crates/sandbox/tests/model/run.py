#!/usr/bin/env python3
"""Changes a sandbox's world at random over HTTP, keeps books of its own, and compares.

    run.py URL PLATFORM [--writes 5000] [--seed 1]

Nothing here shares code with Sesame. What a call should do is in the module of the platform, which
knows the vendors' documents and `docs/sandbox.md`: it has a class `Model(shop, random)` with `write()`,
which makes one call and says what was wrong with the answer, and `compare()`, which reads everything
back. The first line that is wrong is printed, with the call, and ends the run with 1.
"""

import argparse
import datetime
import hashlib
import hmac
import http.client
import importlib
import json
import random
import sys
import urllib.parse

BATCH = 200
REDIRECT = "http://127.0.0.1:8756/callback"


class Wrong(Exception):
    """The sandbox and the model disagree."""


class Shop:
    """The first shop of a platform, logged in."""

    def __init__(self, url, platform):
        self.url = urllib.parse.urlsplit(url)
        self.connection = None
        self.platform = platform
        apps = self.control("GET", "apps")["apps"]
        self.key = next(app["app_key"] for app in apps if app["platform"] == platform)
        self.secret = None
        self.token = None
        self.now = None

    # HTTP.

    def send(self, method, target, body=None, kind="application/x-www-form-urlencoded"):
        for attempt in range(2):
            if self.connection is None:
                self.connection = http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=60)
            try:
                self.connection.request(method, target, body, {"Content-Type": kind} if body is not None else {})
                answer = self.connection.getresponse()
                return answer.status, dict(answer.getheaders()), answer.read()
            except (http.client.HTTPException, ConnectionError):
                self.connection = None
                if attempt:
                    raise
        raise AssertionError

    def control(self, method, route, body=None):
        """Calls the control API; returns the JSON, with `status` 409 if it was refused."""
        text = None if body is None else json.dumps(body)
        status, _, answer = self.send(method, f"/_sandbox/{route}", text, "application/json")
        answer = json.loads(answer)
        if status == 409:
            return {"refused": answer["error"]}
        if status != 200:
            raise Wrong(f"{method} {route} {body}: {status} {answer}")
        return answer

    def advance(self, seconds):
        self.control("POST", "clock", {"advance": seconds})
        self.now = None

    def milliseconds(self):
        """The sandbox's time."""
        if self.now is None:
            text = self.control("GET", "clock")["now"].replace("Z", "+00:00")
            self.now = round(datetime.datetime.fromisoformat(text).timestamp() * 1000)
        return self.now

    def query(self, **more):
        return urllib.parse.urlencode({"client_id": self.key, "redirect_uri": REDIRECT, **more})

    def code(self, page):
        """Lets the sandbox approve."""
        status, headers, body = self.send("GET", page)
        place = next((value for name, value in headers.items() if name.lower() == "location"), None)
        if status != 302 or place is None:
            raise Wrong(f"no code: {status} {body[:200]}")
        return urllib.parse.parse_qs(urllib.parse.urlsplit(place).query)["code"][0]

    # IOP: /rest.

    def log_in_iop(self, secret):
        self.secret = secret
        code = self.code(f"/oauth/authorize?{self.query(response_type='code')}")
        self.token = self.iop("/auth/token/create", {"code": code}, token=False)["access_token"]

    def iop(self, path, args, token=True):
        pairs = {name: value for name, value in args.items() if value is not None}
        pairs.update(app_key=self.key, timestamp=str(self.milliseconds()), sign_method="sha256")
        if token:
            pairs["access_token"] = self.token
        base = path + "".join(name + pairs[name] for name in sorted(pairs))
        pairs["sign"] = hmac.new(self.secret.encode(), base.encode(), hashlib.sha256).hexdigest().upper()
        _, _, body = self.send("POST", "/rest" + path, urllib.parse.urlencode(pairs))
        return json.loads(body)


    # param2.

    def log_in_param2(self, secret):
        self.secret = secret
        code = self.code(f"/oauth/authorize?{self.query(response_type='code', site='1688', state='s')}")
        fields = self.query(grant_type="authorization_code", need_refresh_token="true", client_secret=secret, code=code)
        _, _, body = self.send("POST", f"/openapi/http/1/system.oauth2/getToken/{self.key}", fields)
        self.token = json.loads(body)["access_token"]

    def param2(self, api, args):
        pairs = {name: value for name, value in args.items() if value is not None}
        pairs["access_token"] = self.token
        path = f"param2/1/{api}/{self.key}"
        base = path + "".join(sorted(name + value for name, value in pairs.items()))
        pairs["_aop_signature"] = hmac.new(self.secret.encode(), base.encode(), hashlib.sha1).hexdigest().upper()
        _, _, body = self.send("POST", f"/openapi/{path}", urllib.parse.urlencode(pairs))
        return json.loads(body)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("platform")
    parser.add_argument("--secret", required=True, help="of the app that the sandbox invented for the platform")
    parser.add_argument("--writes", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    modules = {"daraz": "lazada", "miravia": "lazada", "alibaba": "icbu", "1688": "ali1688"}
    module = modules.get(options.platform, options.platform)
    shop = Shop(options.url, options.platform)
    model = importlib.import_module(module).Model(shop, options.secret, random.Random(options.seed))
    model.compare()
    for number in range(1, options.writes + 1):
        try:
            model.write()
            if number % BATCH == 0:
                model.compare()
                shop.advance(1)
        except Wrong as wrong:
            print(f"write {number}: {wrong}")
            print(f"the last call was {model.last}")
            return 1
    model.compare()
    print(f"{options.writes} writes agree: {model.summary()}")
    return 0


if __name__ == "__main__":
    # The modules of the platforms raise the same exception.
    sys.modules["run"] = sys.modules["__main__"]
    sys.exit(main())
