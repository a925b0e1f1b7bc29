"""AliExpress: what the documents say that calls do, in a model of its own."""

import json
from decimal import Decimal

import lazada
from run import Wrong

STATUS = {"selling": "onSelling", "offline": "offline", "under-review": "auditing", "rejected": "editingRequired"}
WORD = {
    "unpaid": "PLACE_ORDER_SUCCESS", "to-ship": "WAIT_SELLER_SEND_GOODS", "packed": "SELLER_PART_SEND_GOODS",
    "ready": "SELLER_PART_SEND_GOODS", "shipped": "WAIT_BUYER_ACCEPT_GOODS", "failed": "WAIT_BUYER_ACCEPT_GOODS",
    "lost": "WAIT_BUYER_ACCEPT_GOODS", "delivered": "FUND_PROCESSING", "done": "FINISH", "cancelled": "FINISH",
    "returned": "FINISH", "cancelling": "IN_CANCEL", "returning": "IN_ISSUE", "frozen": "IN_FROZEN",
}
# How far a line is; the least of an order tells what is left to do.
RANK = [
    "unpaid", "to-ship", "packed", "ready", "shipped", "delivered", "done", "cancelling", "returning", "returned",
    "failed", "lost", "frozen", "cancelled",
]
LEFT = {"shipped", "delivered", "done", "returning", "returned", "failed", "lost"}
CLOSED = {"cancelled", "returned"}
SHIPPABLE = {"to-ship", "packed", "ready"}


def has_left(line):
    return (line["resume"] if line["state"] == "frozen" else line["state"]) in LEFT


def unsent(lines):
    """Returns the lines that are left to send, or None if one of them cannot be sent, or none is left."""
    left = [line for line, one in lines.items() if one["state"] not in CLOSED and not has_left(one)]
    return left if left and all(lines[line]["state"] in SHIPPABLE for line in left) else None


class Model(lazada.Model):
    BY_PIECE = False

    def __init__(self, shop, secret, random):
        super().__init__(shop, secret, random)
        self.numbers = 0

    def write(self):
        kinds = [
            (self.inventory, 22), (self.prices, 14), (self.one_stock, 10), (self.one_price, 6), (self.states, 10),
            (self.remove, 1), (self.nonsense, 3), (self.buy, 14), (self.by_hand, 14), (self.ship, 20),
        ]
        self.random.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])[0]()

    def call(self, api, args):
        self.last = (api, args)
        return self.shop.iop(f"aliexpress.{api}", args)

    def told(self, what, good, answer):
        self.counts[f"{what} {'done' if good else 'refused'}"] += 1
        if not good:
            raise Wrong(f"{what}: {answer}")

    def refused(self, what, answer, expected):
        self.counts[f"{what} refused"] += 1
        if not expected:
            raise Wrong(f"{what}: {answer}")

    # SKUs.

    def batch(self, what, api, make):
        """Writes SKUs of several products. `make` changes a copy of a SKU, or says that it cannot be."""
        count = 21 if self.random.random() < 0.02 else self.random.randint(1, 4)
        updates, plan = [], []
        for _ in range(count):
            item = self.some_product()
            product = self.alive(item)
            rows, copies, unknown, refused = [], {}, 0, False
            for sku in {self.some_sku(item) for _ in range(self.random.randint(1, 2))}:
                known = product["skus"].get(sku) if product else None
                row = {"sku_code": known["code"] if known else f"NONE-{sku}"}
                copy = dict(known) if known else {"stock": 0, "reserved": 0, "price": Decimal(1), "special": None}
                refused |= make(row, copy)
                unknown += known is None
                if known:
                    copies[sku] = copy
                rows.append(row)
            code = None
            if unknown == len(rows):
                code = "F00-00-10007-024"
            elif unknown:
                code = "F00-00-10014-015"
            elif refused:
                code = "F00-00-10014-017"
            updates.append({"product_id": item, "multiple_sku_update_list": rows})
            plan.append((item, code))
            # A product that comes twice builds on what was written before.
            if code is None and count <= 20:
                product["skus"].update(copies)
        answer = self.call(api, {"mutiple_product_update_list": json.dumps(updates)})
        if count > 20:
            return self.refused(what, answer, answer.get("error_response", {}).get("code") == "InvalidParameter")
        done = [row["product_id"] for row in answer["update_successful_list"]]
        failed = [row["product_id"] for row in answer["update_failed_list"]]
        first = next((code for _, code in plan if code), None)
        expected = ([item for item, code in plan if not code], [item for item, code in plan if code], first)
        seen = (done, failed, answer.get("update_error_code"))
        if seen != expected or answer["update_success"] != (first is None):
            raise Wrong(f"{what}: expected {expected}, got {answer}")
        self.counts[f"{what} {'done' if first is None else 'refused in part'}"] += 1

    def inventory(self):
        def make(row, sku):
            row["inventory"] = self.random.choice([0, 1, 7, 50, 400, 999_999, 1_000_000])
            sku["stock"] = row["inventory"]
            return row["inventory"] > 999_999 or row["inventory"] < sku["reserved"]

        self.batch("inventory", "solution.batch.product.inventory.update", make)

    def prices(self):
        def make(row, sku):
            text, price = self.price()
            row["price"] = text
            special = (None, None)
            if self.random.random() < 0.3:
                special = self.price()
                row["discount_price"] = special[0]
            if not isinstance(price, Decimal) or (special[0] and not isinstance(special[1], Decimal)):
                return True
            lower = special[1]
            if lower is None and sku["special"] is not None and sku["special"] < price:
                lower = sku["special"]
            sku["price"], sku["special"] = price, lower
            return lower is not None and lower >= price

        self.batch("prices", "solution.batch.product.price.update", make)

    def named(self):
        """Returns a product, one of its SKUs and the id of this SKU inside the product."""
        item = self.some_product()
        sku = self.some_sku(item)
        known = (self.alive(item) or {"skus": {}})["skus"].get(sku)
        if known is None:
            return item, None, "14:0"
        page = self.shop.iop("aliexpress.solution.product.info.get", {"product_id": str(item)})["result"]
        ids = {row["sku_code"]: row["id"] for row in page["aeop_ae_product_s_k_us"]}
        return item, known, ids[known["code"]]

    def edited(self, what, api, item, sku, more, good):
        args = {"product_id": str(item), "sku_id": sku, **more}
        result = self.call(f"postproduct.redefining.{api}", args)["result"]
        if result["success"] != good:
            raise Wrong(f"{what}: expected {good}, got {result}")
        self.counts[f"{what} {'done' if good else 'refused'}"] += 1

    def one_stock(self):
        item, known, sku = self.named()
        stock = self.random.choice([0, 3, 60, 900])
        good = known is not None and stock >= known["reserved"]
        self.edited("stock", "editsingleskustock", item, sku, {"ipm_sku_stock": str(stock)}, good)
        if good:
            known["stock"] = stock

    def one_price(self):
        item, known, sku = self.named()
        text, price = self.price()
        good = known is not None and isinstance(price, Decimal)
        self.edited("price", "editsingleskuprice", item, sku, {"sku_price": text}, good)
        if good:
            keeps = known["special"] is not None and known["special"] < price
            known["price"], known["special"] = price, known["special"] if keeps else None

    # Products.

    def states(self):
        online = self.random.random() < 0.6
        items = sorted({self.some_product() for _ in range(self.random.randint(1, 4))})
        good = [item for item in items if self.alive(item) and self.products[item]["status"] in ("selling", "offline")]
        word = "online" if online else "offline"
        answer = self.call(f"postproduct.redefining.{word}aeproduct", {"product_ids": ";".join(map(str, items))})
        result = answer["result"]
        failed = [item for row in result.get("error_details", []) for item in row["product_ids"]]
        expected = [item for item in items if item not in good] if good else []
        if result["success"] != bool(good) or failed != expected or result.get("modify_count", 0) != len(good):
            raise Wrong(f"{word}: expected {good} and not {expected}, got {answer}")
        self.counts[f"{word} {'done' if good else 'refused'}"] += 1
        for item in good:
            self.products[item]["status"] = "selling" if online else "offline"

    def remove(self):
        if sum(product["status"] != "deleted" for product in self.products.values()) < 25:
            return
        items = sorted({self.some_product() for _ in range(2)})
        good = all(item in self.products for item in items)
        answer = self.call("solution.batch.product.delete", {"product_ids": json.dumps(items)})
        if answer.get("success") != ("true" if good else "false"):
            raise Wrong(f"delete: expected {good}, got {answer}")
        self.counts[f"delete {'done' if good else 'refused'}"] += 1
        if good:
            for item in items:
                self.products[item]["status"] = "deleted"

    def nonsense(self):
        text = self.random.choice(["[", "{}", "[]", "[5]", '[{"product_id":1}]', "stock"])
        api = self.random.choice(["inventory", "price"])
        answer = self.call(f"solution.batch.product.{api}.update", {"mutiple_product_update_list": text})
        code = answer.get("error_response", {}).get("code")
        self.refused("nonsense", answer, code in ("InvalidParameter", "MissingParameter"))

    # Orders.

    def ship(self):
        order = 5 if self.random.random() < 0.03 else self.some_order()
        part = self.random.random() < 0.4
        self.numbers += 1
        number = f"LX{self.numbers:09}CN"
        args = {
            "out_ref": str(order), "send_type": "part" if part else "all", "service_name": "CAINIAO_STANDARD",
            "logistics_no": number,
        }
        wrong = self.random.random() < 0.05
        if wrong:
            args.update(self.random.choice([{"service_name": "NO_SUCH"}, {"logistics_no": "?"}]))
        known = self.orders.get(order)
        left = unsent(known["lines"]) if known and not wrong else None
        # The last line of an order that is sent in parts stays open.
        state = "shipped"
        if left and part:
            state = "packed" if len(left) == 1 else "shipped"
            left = left[:1]
            if state == "packed" and known["lines"][left[0]]["state"] != "to-ship":
                left = None
        result = self.call("solution.order.fulfill", args)["result"]
        if result["result_success"] != bool(left):
            raise Wrong(f"ship: expected {left}, got {result}")
        self.counts[f"ship {'done' if left else 'refused'}"] += 1
        if left:
            self.move(order, left, state)
            param = json.dumps({"order_id": order})
            page = self.shop.iop("aliexpress.solution.order.info.get", {"param1": param})["result"]["data"]
            sent = [parcel["logistics_no"] for parcel in page["logistic_info_list"]]
            if (number in sent) != (state == "shipped"):
                raise Wrong(f"parcels of {order}: {number} in {sent}?")

    @staticmethod
    def word(order):
        lines = order["lines"].values()
        still = [line for line in lines if line["state"] not in CLOSED]
        if not still:
            return "FINISH"
        least = min((line["state"] for line in still), key=RANK.index)
        begun = any(has_left(line) or line["state"] in ("packed", "ready") for line in still)
        return "SELLER_PART_SEND_GOODS" if least == "to-ship" and begun else WORD[least]

    # Reading back.

    def pages(self, api, argument, query, items, total, size):
        rows, page = [], 1
        while True:
            ask = {**query, "current_page": page, "page_size": size}
            if argument:
                args = {argument: json.dumps(ask)}
            else:
                args = {name: str(value) for name, value in ask.items()}
            result = self.shop.iop(f"aliexpress.{api}", args)["result"]
            rows += result[items]
            page += 1
            if len(rows) >= result[total] or not result[items]:
                return rows

    def compare(self):
        listed = {}
        for status, word in STATUS.items():
            rows = self.pages(
                "solution.product.list.get", "aeop_a_e_product_list_query", {"product_status_type": word},
                "aeop_a_e_product_display_d_t_o_list", "product_count", 99,
            )
            listed.update((row["product_id"], (status, row["product_min_price"], row["product_max_price"])) for row in rows)
        alive = {item: product for item, product in self.products.items() if product["status"] != "deleted"}
        self.same("products", set(listed), set(alive))
        for item, product in alive.items():
            self.same(f"status of {item}", listed[item][0], product["status"])
            page = self.shop.iop("aliexpress.solution.product.info.get", {"product_id": str(item)})["result"]
            seen = {
                row["sku_code"]: (row["ipm_sku_stock"], row["sku_price"], row.get("sku_discount_price"))
                for row in page["aeop_ae_product_s_k_us"]
            }
            expected = {
                sku["code"]: (sku["stock"], f"{sku['price']:.2f}", None if sku["special"] is None else f"{sku['special']:.2f}")
                for sku in product["skus"].values()
            }
            self.same(f"SKUs of {item}", seen, expected)
        read = {}
        for word in sorted(set(WORD.values())):
            for row in self.pages("solution.order.get", None, {"order_status": word}, "target_list", "total_count", 50):
                lines = {line["child_id"]: line["son_order_status"] for line in row["product_list"]}
                read[row["order_id"]] = (row["order_status"], lines)
        expected = {
            order: (self.word(known), {line: WORD[one["state"]] for line, one in known["lines"].items()})
            for order, known in self.orders.items()
        }
        self.same("orders", set(read), set(expected))
        for order, known in expected.items():
            self.same(f"order {order}", read[order], known)
