"""Lazada, Daraz and Miravia: what the documents say that calls do, in a model of its own."""

import collections
import json
from decimal import Decimal
from xml.sax.saxutils import escape

from run import Wrong

STATUS = {
    "unpaid": "unpaid", "to-ship": "pending", "cancelling": "pending", "frozen": "pending", "packed": "packed",
    "ready": "ready_to_ship", "shipped": "shipped", "delivered": "delivered", "done": "delivered",
    "returning": "delivered", "returned": "returned", "failed": "failed_delivery", "lost": "lost_by_3pl",
    "cancelled": "canceled",
}
FILTER = {"selling": "Active", "offline": "InActive", "under-review": "Pending", "rejected": "Suspended"}
AHEAD = 100_000_000_000_000


def as_xml(name, value):
    if isinstance(value, dict):
        return f"<{name}>" + "".join(as_xml(key, inner) for key, inner in value.items()) + f"</{name}>"
    if isinstance(value, list):
        return "".join(as_xml(name, item) for item in value)
    return f"<{name}>{escape(str(value))}</{name}>"


class Model:
    # An order has a line for each piece.
    BY_PIECE = True

    def __init__(self, shop, secret, random):
        self.shop, self.random = shop, random
        self.last, self.counts = None, collections.Counter()
        self.log_in(secret)
        self.products, self.orders = {}, {}
        for book in self.books("products"):
            skus = {
                sku["id"]: {
                    "code": sku["code"], "stock": sku["stock"], "reserved": sku["reserved"], "active": sku["active"],
                    "price": Decimal(str(sku["price"])),
                    "special": None if sku["special_price"] is None else Decimal(str(sku["special_price"])),
                }
                for sku in book["skus"]
            }
            self.products[book["id"]] = {"title": book["title"], "status": book["status"], "skus": skus, "changed": None}
        for book in self.books("orders"):
            self.orders[book["id"]] = self.order_of(book)
        self.calls = 0

    def log_in(self, secret):
        self.shop.log_in_iop(secret)

    def books(self, what):
        rows, offset = [], 0
        while True:
            page = self.shop.control("GET", f"{what}?platform={self.shop.platform}&limit=1000&offset={offset}")
            rows += page[what]
            offset += 1000
            if offset >= page["total"]:
                return rows

    @staticmethod
    def order_of(book):
        lines = {
            line["id"]: {
                "sku": line["sku"], "product": line["product"], "quantity": line["quantity"], "state": line["state"],
                "held": line["holds_stock"], "resume": "to-ship", "package": line["package"],
            }
            for line in book["lines"]
        }
        return {"word": book["word"], "lines": lines}

    def summary(self):
        return ", ".join(f"{count} {what}" for what, count in sorted(self.counts.items()))

    # Calls.

    def call(self, api, args):
        # 50 calls a second and seller on the stock APIs.
        self.calls += 1
        if self.calls % 40 == 0:
            self.shop.advance(1)
        self.last = (api, args)
        return self.shop.iop(api, args)

    def expect(self, what, answer, code):
        self.counts[f"{what} {'done' if code == '0' else 'refused'}"] += 1
        if answer.get("code") != code:
            raise Wrong(f"{what}: expected {code}, got {answer}")

    def write(self):
        kinds = [
            (self.stock_and_price, 25), (self.sellable, 14), (self.update, 8), (self.deactivate, 5), (self.remove, 1),
            (self.nonsense, 3), (self.buy, 14), (self.by_hand, 12), (self.pack, 12), (self.handle_package, 10),
            (self.pack_old, 4), (self.ready_old, 3), (self.cancel, 5), (self.decide, 4),
        ]
        self.random.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])[0]()

    def payload(self, product, root="Product"):
        request = {root: product}
        if self.random.random() < 0.5:
            return json.dumps({"Request": request})
        return as_xml("Request", request)

    def some_product(self):
        """Returns a product that is there, rarely one that is not."""
        if self.random.random() < 0.03:
            return 7
        # Few products, so that orders and stock meet.
        alive = [item for item, product in self.products.items() if product["status"] != "deleted"]
        return self.random.choice(alive[:12] if self.random.random() < 0.7 else alive)

    def alive(self, item):
        product = self.products.get(item)
        return None if product is None or product["status"] == "deleted" else product

    def some_sku(self, item):
        product = self.alive(item)
        if product is None or self.random.random() < 0.03:
            return 9
        return self.random.choice(list(product["skus"]))

    def price(self):
        """Returns a price as it is written, and what it is: `None` has too many decimals."""
        kind = self.random.random()
        if kind < 0.04:
            return f"{self.random.uniform(1, 90):.3f}1", None
        if kind < 0.07:
            return self.random.choice(["0", "0.00", "-5"]), "zero"
        value = Decimal(self.random.randint(100, 90_000)) / 100
        return f"{value:.2f}", value

    @staticmethod
    def set_price(sku, price, special):
        """Returns the code of the refusal, or None and changes the SKU."""
        for (text, value), precision in ((price, "4104"), (special, "4121")):
            if text is not None and value is None:
                return precision
            if value == "zero":
                return "4118"
        if price[1] is None and special[1] is None:
            return None
        new = price[1] if price[1] is not None else sku["price"]
        if special[1] is not None:
            lower = special[1]
        else:
            lower = sku["special"] if sku["special"] is not None and sku["special"] < new else None
        if lower is not None and lower >= new:
            return "4119"
        sku["price"], sku["special"] = new, lower
        return None

    def rows_outcome(self, what, answer, codes):
        """Compares the answer to a list of SKUs, by their codes (None = done)."""
        failed = [code for code in codes if code]
        if not failed:
            return self.expect(what, answer, "0")
        same = len(failed) == len(codes) and len(set(failed)) == 1
        self.expect(what, answer, failed[0] if same else "501")
        told = [row["code"] for row in answer["detail"]]
        if told != failed:
            raise Wrong(f"{what}: expected {failed} in detail, got {told}")

    def write_skus(self, what, api, make, most):
        count = 51 if self.random.random() < 0.02 else self.random.randint(1, 5)
        rows, codes = [], []
        for _ in range(count):
            item = self.some_product()
            sku = self.some_sku(item)
            row = {"ItemId": item, "SkuId": sku}
            known = self.alive(item)
            code = None if known else "4137"
            if known and sku not in known["skus"]:
                code = "4136"
            # A refused SKU stays as it was: the change is made on a copy.
            copy = dict(known["skus"][sku]) if code is None else {"stock": 0, "reserved": 0, "price": 1, "special": None}
            wrong = make(row, copy)
            code = code or wrong
            if code is None and count <= 50:
                known["skus"][sku] = copy
            rows.append(row)
            codes.append(code)
        args = {"payload": self.payload({"Skus": {"Sku": rows if count > 1 else rows[0]}})}
        answer = self.call(api, args)
        if count > 50:
            return self.expect(what, answer, most)
        now = self.shop.milliseconds() // 1000 * 1000
        for row, code in zip(rows, codes):
            if code is None:
                self.products[row["ItemId"]]["changed"] = now
        return self.rows_outcome(what, answer, codes)

    def stock_and_price(self):
        def make(row, sku):
            code, price, special = None, (None, None), (None, None)
            if self.random.random() < 0.6:
                price = self.price()
                row["Price"] = price[0]
            if self.random.random() < 0.3:
                special = self.price()
                row["SalePrice"] = special[0]
            if self.random.random() < 0.7:
                quantity = self.random.choice([0, 3, 10, 50, 90, 400])
                row["Quantity"] = quantity
                # The service looks at prices first.
                code = self.set_price(sku, price, special)
                if code is None and quantity < sku["reserved"]:
                    code = "4152"
                sku["stock"] = quantity
                return code
            return self.set_price(sku, price, special)

        self.write_skus("price_quantity", "/product/price_quantity/update", make, "4171")

    def sellable(self):
        adjust = self.random.random() < 0.5

        def make(row, sku):
            if adjust:
                by = self.random.choice([-30, -3, -1, 1, 5, 40])
                row["SellableQuantity"] = by
                if sku["stock"] - sku["reserved"] + by < 0:
                    return "212"
                sku["stock"] += by
            else:
                row["SellableQuantity"] = self.random.choice([0, 2, 9, 77])
                sku["stock"] = sku["reserved"] + row["SellableQuantity"]
            return None

        name = "adjust" if adjust else "update"
        self.write_skus(f"sellable {name}", f"/product/stock/sellable/{name}", make, "204")

    # Products.

    def update(self):
        item = self.some_product()
        product = self.alive(item)
        wanted, code, copy = {"ItemId": item}, None if product else "4137", {}
        title = None
        if self.random.random() < 0.4:
            title = f"Title <{self.random.randint(1, 999)}> & \"more\""
            wanted["Attributes"] = {"name": title}
        states = False
        if self.random.random() < 0.8:
            sku = self.some_sku(item)
            row = {"SkuId": sku}
            if code is None and sku not in product["skus"]:
                code = "4136"
            copy = dict(product["skus"][sku]) if code is None else {}
            if self.random.random() < 0.4:
                price = self.price()
                row["price"] = price[0]
                code = code or self.set_price(copy, price, (None, None))
            if self.random.random() < 0.4:
                row["quantity"] = self.random.choice([0, 5, 60])
                if code is None and row["quantity"] < copy["reserved"]:
                    code = "4152"
                copy["stock"] = row["quantity"]
            if self.random.random() < 0.6:
                row["Status"] = self.random.choice(["active", "active", "active", "inactive"])
                copy["active"] = row["Status"] == "active"
                states = True
            wanted["Skus"] = {"Sku": [row]}
        answer = self.call("/product/update", {"payload": self.payload(wanted)})
        self.expect("update", answer, code or "0")
        if code is None:
            product["title"] = title or product["title"]
            if "Skus" in wanted:
                product["skus"][sku] = copy
            if states:
                self.follow(product)
            product["changed"] = self.shop.milliseconds() // 1000 * 1000

    @staticmethod
    def follow(product):
        active = any(sku["active"] for sku in product["skus"].values())
        if product["status"] == "selling" and not active:
            product["status"] = "offline"
        elif product["status"] == "offline" and active:
            product["status"] = "selling"

    def deactivate(self):
        item = self.some_product()
        product = self.alive(item)
        wanted, skus = {"ItemId": item}, []
        if self.random.random() < 0.4:
            skus = [self.some_sku(item)]
            wanted["Skus"] = {"Sku": [{"SkuId": skus[0]}]}
        code = None
        if product is None:
            code = "E0002"
        elif product["status"] != "selling":
            code = "E0004"
        elif any(sku not in product["skus"] for sku in skus):
            code = "E0003"
        answer = self.call("/product/deactivate", {"apiRequestBody": self.payload(wanted)})
        self.expect("deactivate", answer, code or "0")
        if code is None:
            for sku, known in product["skus"].items():
                known["active"] &= bool(skus) and sku not in skus
            self.follow(product)
            product["changed"] = self.shop.milliseconds() // 1000 * 1000

    def remove(self):
        item = self.some_product()
        sku = self.some_sku(item)
        product = self.alive(item)
        known = product is not None and sku in product["skus"]
        # The product of the examples and its neighbors stay: orders need something to buy.
        if known and sum(product["status"] != "deleted" for product in self.products.values()) < 20:
            return
        answer = self.call("/product/remove", {"sku_id_list": json.dumps([f"SkuId_{item}_{sku}"])})
        self.expect("remove", answer, "0" if known else "503")
        if known:
            product["changed"] = self.shop.milliseconds() // 1000 * 1000
            if len(product["skus"]) == 1:
                product["status"] = "deleted"
            else:
                del product["skus"][sku]

    def nonsense(self):
        api = self.random.choice(
            ["/product/price_quantity/update", "/product/stock/sellable/update", "/product/stock/sellable/adjust"]
        )
        text, code = self.random.choice(
            [("<Request><Product>", "5"), ('{"Request":', "5"), ("<Other/>", "5"), ("<Request/>", "30"), ("stock", "5")]
        )
        self.expect("nonsense", self.call(api, {"payload": text}), code)

    # Orders. Buyers and carriers are played by hand.

    def hand(self, body):
        self.last = ("by hand", body)
        return self.shop.control("POST", f"orders?platform={self.shop.platform}", body)

    def buy(self):
        item = self.some_product()
        for _ in range(5):
            product = self.alive(item)
            if product is None or product["status"] != "selling":
                item = self.some_product()
        sku = self.some_sku(item)
        quantity = self.random.choice([1, 1, 2, 3, 8])
        product = self.alive(item)
        known = product["skus"].get(sku) if product else None
        good = (
            known is not None and product["status"] == "selling" and known["active"]
            and known["stock"] - known["reserved"] >= quantity
        )
        paid = self.random.random() < 0.8
        answer = self.hand({"do": "create", "lines": [{"product": item, "sku": sku, "quantity": quantity}], "paid": paid})
        self.counts["buy done" if good else "buy refused"] += 1
        if good != ("refused" not in answer):
            raise Wrong(f"buy: expected {good}, got {answer}")
        if good:
            known["reserved"] += quantity
            order = self.order_of(answer["order"])
            if len(order["lines"]) != (quantity if self.BY_PIECE else 1):
                raise Wrong(f"another number of lines is expected: {answer}")
            self.orders[answer["order"]["id"]] = order

    def some_order(self):
        orders = list(self.orders)
        # The last ones, for the most part.
        return self.random.choice(orders[-40:] if self.random.random() < 0.8 else orders)

    def move(self, order, lines, state):
        """Moves lines into a state; stock leaves with what ships, comes back with what is canceled."""
        self.orders[order]["word"] = None
        for line in lines:
            one = self.orders[order]["lines"][line]
            if one["held"] and state in ("shipped", "cancelled"):
                sku = self.products[one["product"]]["skus"].get(one["sku"])
                if sku is not None:
                    sku["reserved"] -= one["quantity"]
                    sku["stock"] -= one["quantity"] if state == "shipped" else 0
                one["held"] = False
            before = one["state"]
            one["state"] = one["resume"] if state == "resume" else state
            one["resume"] = before

    def by_hand(self):
        step, allowed, state = self.random.choice([
            ("pay", {"unpaid"}, "to-ship"), ("ship", {"to-ship", "packed", "ready"}, "shipped"),
            ("ship", {"to-ship", "packed", "ready"}, "shipped"), ("deliver", {"shipped"}, "delivered"),
            ("deliver", {"shipped"}, "delivered"), ("finish", {"shipped", "delivered"}, "done"),
            ("ask-cancel", {"unpaid", "to-ship", "packed", "ready"}, "cancelling"),
            ("ask-return", {"shipped", "delivered", "done"}, "returning"),
            ("freeze", {"unpaid", "to-ship", "packed", "ready", "shipped", "delivered"}, "frozen"),
            ("thaw", {"frozen"}, "resume"),
        ])
        order = self.some_order()
        known = self.orders[order]["lines"]
        lines = [line for line, one in known.items() if one["state"] != "cancelled"]
        good = bool(lines) and all(known[line]["state"] in allowed for line in lines)
        answer = self.hand({"do": step, "order": order})
        self.counts[f"{step} {'done' if good else 'refused'}"] += 1
        if good != ("refused" not in answer):
            raise Wrong(f"{step}: expected {good}, got {answer}")
        if good:
            self.move(order, lines, state)
            for line in answer["order"]["lines"]:
                known[line["id"]]["package"] = line["package"]

    def result(self, what, api, name, request, code="0"):
        answer = self.call(api, {name: json.dumps(request)})
        if answer.get("code") != "0" or answer["result"]["error_code"] != code:
            raise Wrong(f"{what}: expected {code}, got {answer}")
        self.counts[f"{what} {'answered' if code == '0' else 'refused'}"] += 1
        return answer["result"].get("data")

    def pack(self):
        wanted, used = [], set()
        for _ in range(21 if self.random.random() < 0.03 else self.random.randint(1, 3)):
            order = self.some_order()
            own = list(self.orders[order]["lines"])
            items = self.random.sample(own, self.random.randint(1, len(own)))
            if self.random.random() < 0.1:
                items.append(5)
            if order not in used:
                used.add(order)
                wanted.append({"order_id": order, "order_item_list": items})
        while len(wanted) < 21 and self.random.random() < 0.02:
            wanted += wanted
        code = "700022" if len(wanted) > 20 else "0"
        request = {"delivery_type": "dropship", "shipping_allocate_type": "TFS", "pack_order_list": wanted}
        data = self.result("pack", "/order/fulfill/pack", "packReq", request, code)
        if code != "0":
            return
        for entry, told in zip(wanted, data["pack_order_list"]):
            known = self.orders[entry["order_id"]]["lines"]
            good = []
            for item, row in zip(entry["order_item_list"], told["order_item_list"]):
                expected = "0"
                if item not in known:
                    expected = "700025"
                elif known[item]["state"] != "to-ship":
                    expected = "700026"
                if row["item_err_code"] != expected:
                    raise Wrong(f"pack {item}: expected {expected}, got {row}")
                if expected == "0":
                    good.append(item)
                    known[item]["package"] = int(row["package_id"][2:])
            if good:
                self.move(entry["order_id"], good, "packed")
                if len({known[item]["package"] for item in good}) != 1:
                    raise Wrong(f"one package is expected: {told}")

    def some_package(self):
        order = self.some_order()
        packages = {line["package"] for line in self.orders[order]["lines"].values() if line["package"]}
        return order, (self.random.choice(sorted(packages)) if packages else 1)

    def handle_package(self):
        undo = self.random.random() < 0.3
        order, package = self.some_package()
        known = self.orders[order]["lines"]
        own = [line for line, one in known.items() if one["package"] == package and one["state"] != "cancelled"]
        states = {known[line]["state"] for line in own}
        allowed = {"packed", "ready"} if undo else {"packed"}
        code = "0" if own and states <= allowed else "700000"
        if package == 1:
            code = "30012"
        api, name = ("/order/package/repack", "rePackReq") if undo else ("/order/package/rts", "readyToShipReq")
        data = self.result(api, api, name, {"packages": [{"package_id": f"FP{package:013}"}]})
        if data["packages"][0]["item_err_code"] != code:
            raise Wrong(f"{api}: expected {code}, got {data}")
        if code == "0":
            self.move(order, own, "to-ship" if undo else "ready")
            if undo:
                for line in own:
                    known[line]["package"] = None

    def pack_old(self):
        order = self.some_order()
        own = self.orders[order]["lines"]
        items = self.random.sample(list(own), self.random.randint(1, len(own)))
        if self.random.random() < 0.1:
            other = self.some_order()
            items.append(self.random.choice(list(self.orders[other]["lines"])))
        good = all(item in own and own[item]["state"] == "to-ship" for item in items)
        carrier = "DEX" if self.shop.platform == "daraz" else "LEX SG"
        args = {"shipping_provider": carrier, "delivery_type": "dropship", "order_item_ids": json.dumps(items)}
        answer = self.call("/order/pack", args)
        self.expect("old pack", answer, "0" if good else "20")
        if good:
            self.move(order, items, "packed")
            for row in answer["data"]["order_items"]:
                own[row["order_item_id"]]["package"] = int(row["package_id"][2:])

    def ready_old(self):
        order = self.some_order()
        own = self.orders[order]["lines"]
        item = self.random.choice(list(own))
        read = self.call("/order/items/get", {"order_id": str(order)})["data"]
        row = next(row for row in read if row["order_item_id"] == item)
        tracking, carrier = row["tracking_code"] or "none", row["shipment_provider"] or "none"
        code = "0" if own[item]["package"] and own[item]["state"] == "packed" else "34"
        args = {
            "delivery_type": "dropship", "order_item_ids": json.dumps([item]), "tracking_number": tracking,
            "shipment_provider": carrier,
        }
        self.expect("old rts", self.call("/order/rts", args), code)
        if code == "0":
            self.move(order, [item], "ready")

    def cancel(self):
        order = self.some_order()
        own = self.orders[order]["lines"]
        item = self.random.choice(list(own))
        good = own[item]["state"] in {"to-ship", "packed", "ready", "cancelling"}
        if self.random.random() < 0.5:
            args = {"order_item_id": str(item), "reason_id": "15"}
            self.expect("old cancel", self.call("/order/cancel", args), "0" if good else "20")
        else:
            args = {"order_id": str(order), "order_item_id_list": json.dumps([str(item)]), "reason_id": "15"}
            self.expect("cancel", self.call("/order/reverse/cancel/create", args), "0" if good else "123")
        if good:
            self.move(order, [item], "cancelled")

    def decide(self):
        order = self.some_order()
        own = self.orders[order]["lines"]
        wait = [line for line, one in own.items() if one["state"] == "cancelling"]
        back = [line for line, one in own.items() if one["state"] == "returning"]
        if back:
            agreed = self.random.random() < 0.6
            args = {
                "action": "agreeReturn" if agreed else "refuseReturn", "reverse_order_id": str(order + AHEAD),
                "reverse_order_item_ids": json.dumps([back[0] + AHEAD]), "reason_id": "10000123", "comment": "used",
            }
            self.expect("decide return", self.call("/order/reverse/return/update", args), "0")
            return self.move(order, back[:1], "returned" if agreed else "resume")
        agreed = self.random.random() < 0.5
        args = {"reverse_order_id": str(order + AHEAD), "agree_cancel": "true" if agreed else "false"}
        self.expect("decide", self.call("/order/reverse/cancel/seller/decide", args), "0" if wait else "131")
        if wait:
            self.move(order, wait, "cancelled" if agreed else "resume")

    # Reading back.

    def same(self, what, seen, expected):
        if seen != expected:
            raise Wrong(f"{what}: expected {expected}, the sandbox has {seen}")

    def compare(self):
        read, times = {}, []
        while True:
            args = {"filter": "all", "limit": "50", "offset": str(len(read))}
            data = self.shop.iop("/products/get", args)["data"]
            read.update((row["item_id"], row) for row in data["products"])
            times += [int(row["updated_time"]) for row in data["products"]]
            if len(read) >= data["total_products"] or not data["products"]:
                break
        self.same("order of the list", times, sorted(times))
        alive = {item: product for item, product in self.products.items() if product["status"] != "deleted"}
        self.same("products", set(read), set(alive))
        for item, product in alive.items():
            row = read[item]
            self.same(f"title of {item}", row["attributes"]["name"], product["title"])
            self.same(f"status of {item}", row["status"], FILTER[product["status"]])
            if product["changed"] is not None:
                self.same(f"time of {item}", int(row["updated_time"]), product["changed"])
            self.same(f"SKUs of {item}", {sku["SkuId"] for sku in row["skus"]}, set(product["skus"]))
            for sku in row["skus"]:
                known = product["skus"][sku["SkuId"]]
                seen = (
                    sku["quantity"], sku["Available"], Decimal(str(sku["price"])), Decimal(str(sku["special_price"])),
                    sku["Status"], sku["SellerSku"],
                )
                active = product["status"] == "selling" and known["active"]
                expected = (
                    known["stock"], known["stock"] - known["reserved"], known["price"], known["special"] or Decimal(0),
                    "active" if active else "inactive", known["code"],
                )
                self.same(f"SKU {sku['SkuId']}", seen, expected)
        deleted = self.shop.iop("/products/get", {"filter": "deleted", "limit": "50"})["data"]["total_products"]
        self.same("deleted products", deleted, len(self.products) - len(alive))
        ids = list(self.orders)
        for at in range(0, len(ids), 50):
            data = self.shop.iop("/orders/items/get", {"order_ids": json.dumps(ids[at:at + 50])})["data"]
            for order in data:
                known = self.orders[order["order_id"]]
                for item in order["order_items"]:
                    line = known["lines"][item["order_item_id"]]
                    package = f"FP{line['package']:013}" if line["package"] else ""
                    expected = (known["word"] or STATUS[line["state"]], package, str(line["sku"]))
                    self.same(f"item {item['order_item_id']}", (item["status"], item["package_id"], item["sku_id"]), expected)
        total = self.shop.iop("/orders/get", {"created_after": "2000-01-01T00:00:00Z", "limit": "1"})
        self.same("orders", total["data"]["countTotal"], len(self.orders))
