"""What every Python driver shares: the facts the runner handed over, and TAP on stdout."""

import json
import os
import traceback

HANDED = json.loads(os.environ["SESAME_INTEROP"])
APP = HANDED["app"]
KEY, SECRET = APP["app_key"], APP["app_secret"]
PLATFORM = APP["platform"]
BASE = HANDED["listen"]
HOST, PORT = HANDED["host"], HANDED["port"]
PROGRAM = HANDED["program"]

_codes = iter(HANDED["codes"])
_checks = []


def fresh_code():
    """Returns an authorization code that nobody has used yet."""
    return next(_codes)


def check(title):
    """Registers a check; checks run in the order they are written in."""

    def register(function):
        _checks.append((title, function))
        return function

    return register


def at(document, path):
    """Returns what stands at a dotted path, or fails naming the step that is not there."""
    here = document
    for step in path.split("."):
        if not isinstance(here, dict) or step not in here:
            raise AssertionError(f"no {step!r} (of {path}) in {json.dumps(document, ensure_ascii=False)[:600]}")
        here = here[step]
    return here


def rows(document, path):
    """Returns a list that stands at a dotted path and is not empty."""
    found = at(document, path)
    assert isinstance(found, list) and found, f"{path} is {found!r}"
    return found


def equal(got, expected):
    assert got == expected, f"got {got!r}, expected {expected!r}"


def refused(expected, action):
    """Runs an action that must raise `expected`, and returns what was raised."""
    try:
        answer = action()
    except expected as error:
        return error
    raise AssertionError(f"was not refused: {answer!r}")


def run():
    print(f"1..{len(_checks)}", flush=True)
    for number, (title, function) in enumerate(_checks, 1):
        try:
            function()
        except Exception as error:  # one failed check must not hide the others
            traceback.print_exc()
            words = " ".join(f"{type(error).__name__}: {error}".split())
            print(f"not ok {number} - {title}: {words[:900]}", flush=True)
        else:
            print(f"ok {number} - {title}", flush=True)
