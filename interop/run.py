#!/usr/bin/env python3
"""Drives SDKs that nobody here wrote, unmodified, against a running sandbox.

    interop/run.py --sesame PATH [NAME...]

Installs the pinned packages under interop/.work (once, until a lock file changes), starts
`sesame sandbox --json --auto-approve`, fetches authorization codes as a browser would, and hands
each driver in interop/drivers the facts it needs. A driver prints TAP; a check that it announced
and did not come to counts as failed. `./dev interop` is the way to call this.
"""

import argparse
import collections
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import venv

HERE = pathlib.Path(__file__).resolve().parent
WORK = HERE / ".work"
PYTHON = WORK / "python"
NODE = WORK / "node"

Suite = collections.namedtuple("Suite", "name driver platform codes zone")

# The time zone matters to SDKs that stamp local time as if it were Beijing's.
SUITES = [
    Suite("lazop-sdk/lazada", "pypi_lazop_sdk.py", "lazada", 2, "UTC"),
    Suite("lazop-sdk/alibaba", "pypi_lazop_sdk.py", "alibaba", 2, "UTC"),
    Suite("plain-scripts/alibaba", "plain_alibaba_scripts.py", "alibaba", 0, "Asia/Manila"),
    Suite("plain-class/aliexpress-legacy", "plain_aliexpress_class.php", "aliexpress-legacy", 0, "Asia/Shanghai"),
    Suite("plain-shapes/1688", "plain_shapes.py", "1688", 1, "UTC"),
    Suite("plain-shapes/taobao-global", "plain_shapes.py", "taobao-global", 1, "UTC"),
    Suite("plain-shapes/alibaba", "plain_shapes.py", "alibaba", 1, "UTC"),
    Suite("plain-shapes/lazada", "plain_shapes.py", "lazada", 1, "UTC"),
    Suite("python-aliexpress-api", "pypi_python_aliexpress_api.py", "aliexpress", 1, "UTC"),
    Suite("py-aliexpress-affiliate", "pypi_py_aliexpress_affiliate.py", "aliexpress", 0, "UTC"),
    Suite("py-taobao-open", "pypi_py_taobao_open.py", "taobao", 1, "UTC"),
    Suite("taobaopyx", "pypi_taobaopyx.py", "taobao", 1, "Asia/Shanghai"),
    Suite("open-1688/1688", "pypi_open_1688.py", "1688", 1, "UTC"),
    Suite("open-1688/aliexpress-legacy", "pypi_open_1688.py", "aliexpress-legacy", 1, "UTC"),
    Suite("node-taobao-topclient", "npm_node_taobao_topclient.cjs", "taobao", 1, "Asia/Shanghai"),
    Suite("node-taobao-topclient/utc", "npm_node_taobao_topclient.cjs", "taobao", 0, "UTC"),
    Suite("ae_sdk", "npm_ae_sdk.cjs", "aliexpress", 2, "UTC"),
    Suite("ajv", "npm_ajv.cjs", "alibaba", 0, "UTC"),
    Suite("outputs", "outputs.py", "lazada", 0, "UTC"),
    Suite("lazada-open-platform-sdk", "npm_lazada_open_platform_sdk.cjs", "lazada", 1, "UTC"),
]

STATE = "interop"
START_SECONDS = 30
DRIVER_SECONDS = 120


class Trouble(Exception):
    """Something that stops the whole run, told in one line."""


def main():
    parser = argparse.ArgumentParser(description="Runs third-party SDKs against a Sesame sandbox.")
    parser.add_argument("--sesame", required=True, type=pathlib.Path, help="the program to start")
    parser.add_argument("names", nargs="*", metavar="NAME", help="suites whose name begins so (default: all)")
    options = parser.parse_args()

    chosen = [suite for suite in SUITES if not options.names or suite.name.startswith(tuple(options.names))]
    if not chosen:
        parser.error("no such suite; there are: " + ", ".join(suite.name for suite in SUITES))
    install()

    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="sesame-interop-") as home:
        sandbox = Sandbox(options.sesame.resolve(), home)
        try:
            for suite in chosen:
                good, bad = run_suite(suite, sandbox, home)
                passed, failed = passed + good, failed + bad
        finally:
            complaint = sandbox.stop()
        if complaint:
            print(f"not ok sandbox: {complaint}")
            failed += 1
    print(f"{passed} passed, {failed} failed")
    return 0 if failed == 0 and passed > 0 else 1


def install():
    """Installs the pinned packages, unless that was done for these very lock files."""
    WORK.mkdir(exist_ok=True)
    locks = [HERE / "requirements.txt", HERE / "requirements-alone.txt"]

    def pip():
        venv.create(PYTHON, with_pip=True)
        # The lock names all there is, so that nothing else comes along and nothing is built.
        command(
            [PYTHON / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
            + ["--only-binary", ":all:", "--require-hashes", "-r", locks[0], "-r", locks[1]]
        )

    once(PYTHON, locks, pip)

    def npm():
        NODE.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, NODE / name)
        command(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=NODE)

    once(NODE, [HERE / "package.json", HERE / "package-lock.json"], npm)


def once(folder, locks, action):
    stamp = folder / ".locked"
    state = hashlib.sha256(b"".join(lock.read_bytes() for lock in locks)).hexdigest()
    if stamp.is_file() and stamp.read_text() == state:
        return
    shutil.rmtree(folder, ignore_errors=True)
    action()
    stamp.write_text(state)


def command(words, **options):
    # Whatever it says goes to stderr: stdout is for results.
    if subprocess.run([str(word) for word in words], stdout=sys.stderr, **options).returncode != 0:
        raise Trouble(f"failed: {' '.join(str(word) for word in words)}")


class Sandbox:
    """A running `sesame sandbox`, and the way to authorization codes."""

    def __init__(self, program, home):
        self.program = program
        self.log = open(pathlib.Path(home) / "sandbox.log", "w+")
        self.process = subprocess.Popen(
            [program, "sandbox", "--json", "--auto-approve", "--listen", "127.0.0.1:0"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, text=True,
            env={**os.environ, "HOME": home, "SESAME_HOME": f"{home}/sesame"},
        )
        ready, _, _ = select.select([self.process.stdout], [], [], START_SECONDS)
        line = self.process.stdout.readline() if ready else ""
        if not line.strip():
            said = self.stop()
            raise Trouble(f"the sandbox printed no line within {START_SECONDS} s; it said: {said or self.said()}")
        self.facts = json.loads(line)
        self.apps = {app["platform"]: app for app in self.facts["apps"]}
        self.address = urllib.parse.urlsplit(self.facts["listen"])

    def said(self):
        self.log.seek(0)
        return " ".join(self.log.read().split())[-2000:]

    def stop(self):
        """Ends the sandbox as Ctrl-C would. Returns what was wrong with its end, if anything."""
        if self.process.poll() is not None:
            return f"it had ended by itself with {self.process.returncode}: {self.said()}"
        self.process.send_signal(signal.SIGINT)
        try:
            ended = self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return "it did not end within 10 s of Ctrl-C"
        if "panicked" in self.said():
            return f"it panicked: {self.said()}"
        return None if ended in (0, 130, -signal.SIGINT) else f"it ended with {ended}: {self.said()}"

    def code(self, app):
        """Authorizes a shop and returns the code, as a browser with nobody in front of it would."""
        url = urllib.parse.urlsplit(app["authorize_url"])
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        query.setdefault("client_id", app["app_key"])
        query.setdefault("redirect_uri", app["redirect_uri"])
        query.setdefault("response_type", "code")
        query["state"] = STATE
        if app["protocol"] == "param2":
            # The old authorize page wants its parameters signed, without a path (protocol param2).
            query.pop("_aop_signature", None)
            text = "".join(sorted(name + value for name, value in query.items()))
            digest = hmac.new(app["app_secret"].encode(), text.encode(), hashlib.sha1).hexdigest()
            query["_aop_signature"] = digest.upper()
        connection = http.client.HTTPConnection(self.address.hostname, self.address.port, timeout=10)
        connection.request("GET", f"{url.path}?{urllib.parse.urlencode(query)}")
        reply = connection.getresponse()
        body = reply.read(400).decode("utf-8", "replace")
        connection.close()
        callback = urllib.parse.urlsplit(reply.getheader("location") or "")
        answer = dict(urllib.parse.parse_qsl(callback.query))
        if reply.status not in (302, 303) or "code" not in answer:
            raise Trouble(f"{app['platform']}: no code from {url.path}: HTTP {reply.status} {body!r}")
        if answer.get("state") != STATE:
            raise Trouble(f"{app['platform']}: the state did not come back: {answer!r}")
        return answer["code"]


def run_suite(suite, sandbox, home):
    """Runs one driver. Returns how many checks passed and failed."""
    print(f"# {suite.name}", flush=True)
    app = sandbox.apps.get(suite.platform)
    if app is None:
        print(f"not ok {suite.name}: the sandbox has no app of {suite.platform}")
        return 0, 1
    try:
        codes = [sandbox.code(app) for _ in range(suite.codes)]
    except Trouble as trouble:
        print(f"not ok {suite.name}: {trouble}")
        return 0, 1
    handed = {
        "program": str(sandbox.program),
        "listen": sandbox.facts["listen"],
        "host": sandbox.address.hostname,
        "port": sandbox.address.port,
        "app": app,
        "codes": codes,
    }
    interpreters = {".py": PYTHON / "bin" / "python", ".php": "php", ".cjs": "node"}
    interpreter = interpreters[pathlib.Path(suite.driver).suffix]
    # Nothing of the machine's own settings: proxies would send loopback elsewhere.
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        # lazop-sdk makes ~/logs on import and writes tokens there.
        "HOME": home,
        "TZ": suite.zone,
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "NODE_PATH": str(NODE / "node_modules"),
        "NODE_NO_WARNINGS": "1",
        "SESAME_INTEROP": json.dumps(handed),
    }
    try:
        driver = subprocess.run(
            [str(interpreter), str(HERE / "drivers" / suite.driver)], cwd=home, env=environment, text=True,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=DRIVER_SECONDS,
        )
        output, complaints, ended = driver.stdout, driver.stderr, driver.returncode
    except subprocess.TimeoutExpired as late:
        output = (late.stdout or b"").decode("utf-8", "replace")
        complaints, ended = f"it took longer than {DRIVER_SECONDS} s", "no end"

    plan = re.search(r"^1\.\.(\d+)$", output, re.MULTILINE)
    results = re.findall(r"^((?:not )?ok \d+ - .*)$", output, re.MULTILINE)
    for result in results:
        print(f"  {result}")
    passed = sum(result.startswith("ok") for result in results)
    planned = int(plan[1]) if plan else max(len(results), 1)
    failed = planned - passed
    if len(results) != planned or ended != 0:
        print(f"  not ok: the driver ended with {ended} after {len(results)} of {planned} checks")
        failed = max(failed, 1)
    if failed:
        print("\n".join("    " + line for line in complaints.splitlines()[-60:]))
    return passed, failed


if __name__ == "__main__":
    started = time.monotonic()
    try:
        code = main()
    except Trouble as trouble:
        print(f"interop: {trouble}", file=sys.stderr)
        print("0 passed, 1 failed")
        code = 1
    print(f"interop took {time.monotonic() - started:.0f} s", file=sys.stderr)
    sys.exit(code)
