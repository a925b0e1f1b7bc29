"""What Sesame writes for other tools, checked by those tools: types of ten APIs, OpenAPI of platforms."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import tap
from openapi_spec_validator import OpenAPIV31SpecValidator

# A path, a method, a namespace; JSON and XML in texts, files, lists, names that are keywords.
APIS = [
    "/orders/get", "/order/get", "/product/create", "/products/get", "/finance/payout/status/get",
    "taobao.trade.fullinfo.get", "taobao.items.onsale.get", "aliexpress.solution.product.post",
    "com.alibaba.product:alibaba.product.list.get", "api.findAeProductById",
]
WORK = pathlib.Path(tempfile.mkdtemp(prefix="sesame-outputs-"))


def sesame(*words):
    return subprocess.run([tap.PROGRAM, *words], check=True, capture_output=True, text=True).stdout


def passes(words, cwd=WORK):
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


@tap.check("tsc --strict takes the interfaces of ten APIs")
def typescript():
    (WORK / "apis.ts").write_text(sesame("codegen", "typescript", *APIS))
    compiler = pathlib.Path(os.environ["NODE_PATH"]) / "typescript" / "bin" / "tsc"
    passes(["node", str(compiler), "--noEmit", "--strict", "apis.ts"])


@tap.check("mypy --strict takes the TypedDicts of ten APIs")
def python():
    (WORK / "apis.py").write_text(sesame("codegen", "python", *APIS))
    passes([sys.executable, "-m", "mypy", "--strict", "--python-version", "3.11", "apis.py"])


@tap.check("OpenAPI of seven platforms is valid by the published schema")
def openapi():
    # Daraz and Miravia have the list of Lazada.
    platforms = ["1688", "alibaba", "aliexpress", "aliexpress-legacy", "lazada", "taobao", "taobao-global"]
    for platform in platforms:
        document = json.loads(sesame("catalog", "export", "--openapi", platform))
        if platform == "taobao":
            # All 5,000 methods take four minutes; they are of the same making.
            document["paths"] = dict(list(document["paths"].items())[::20])
        errors = [str(error)[:300] for error in OpenAPIV31SpecValidator(document).iter_errors()]
        assert not errors, (platform, errors[:3])


tap.run()
