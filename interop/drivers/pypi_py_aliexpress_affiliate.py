"""PyPI py-aliexpress-affiliate 0.2.2: `/sync`, HMAC-SHA256, the affiliate APIs.

It takes a base URL. It has no token calls and needs no token: the affiliate APIs are the app's own.
"""

from aliexpress_affiliate import AliExpressClient
from aliexpress_affiliate import exceptions
from tap import BASE, KEY, SECRET, check, refused, run

client = AliExpressClient(app_key=KEY, app_secret=SECRET, tracking_id="sesame", base_url=BASE, max_retries=0)


@check("reads a list")
def read_list():
    assert client.get_categories(), "no categories"


@check("reads a list with other letters in the request")
def read_products():
    assert client.get_products(keywords="café 中文 a&b=c+d 😀").items, "no products"


@check("is told that the signature is wrong when its secret is")
def wrong_secret():
    other = AliExpressClient(app_key=KEY, app_secret="0" * len(SECRET), base_url=BASE, max_retries=0)
    error = refused(exceptions.AliExpressError, other.get_categories)
    assert "IncompleteSignature" in f"{error!r} {error}", repr(error)


run()
