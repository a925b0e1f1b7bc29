"""Taobao: what the documents say that calls do, in a model of its own."""

import json
from decimal import Decimal

import lazada
from aliexpress import CLOSED, has_left, unsent
from run import Wrong

RANK = [
    "WAIT_BUYER_PAY", "WAIT_SELLER_SEND_GOODS", "SELLER_CONSIGNED_PART", "WAIT_BUYER_CONFIRM_GOODS",
    "TRADE_BUYER_SIGNED", "TRADE_FINISHED", "TRADE_CLOSED", "TRADE_CLOSED_BY_TAOBAO",
]
REJECTED = "isv.item-update-service-rejection"
NO_ITEM = "isv.item-not-exist"


class Model(lazada.Model):
    BY_PIECE = False

    def __init__(self, shop, secret, random):
        super().__init__(shop, secret, random)
        self.numbers = 0

    def log_in(self, secret):
        self.shop.log_in_top(secret)

    @staticmethod
    def order_of(book):
        order = lazada.Model.order_of(book)
        order["paid"] = book["paid"] is not None
        for line in order["lines"].values():
            if line["state"] == "failed":
                line["resume"] = "shipped"
        return order

    def move(self, order, lines, state):
        known = self.orders[order]
        known["paid"] |= state == "to-ship" and any(known["lines"][line]["state"] == "unpaid" for line in lines)
        super().move(order, lines, state)

    def write(self):
        kinds = [
            (self.skus, 24), (self.item, 12), (self.prices, 16), (self.list, 8), (self.delist, 6), (self.remove, 1),
            (self.buy, 14), (self.by_hand, 14), (self.send, 20), (self.confirm, 5),
        ]
        self.random.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])[0]()

    def call(self, api, args):
        self.last = (api, args)
        return self.shop.top(api, args)

    def expect(self, what, answer, code):
        """Compares the sub code; None is success."""
        self.counts[f"{what} {'refused' if code else 'done'}"] += 1
        seen = answer.get("error_response", {}).get("sub_code")
        if seen != code:
            raise Wrong(f"{what}: expected {code}, got {answer}")

    # Stock.

    @staticmethod
    def changed(sku, number, relative):
        """Returns the new stock, or None if it is refused."""
        new = sku["stock"] + number if relative else number
        return None if new < sku["reserved"] else new

    def skus(self):
        item = self.some_product()
        product = self.alive(item)
        relative, by_code = self.random.random() < 0.5, self.random.random() < 0.3
        name = "outerid_quantities" if by_code else "skuid_quantities"
        chosen = {self.some_sku(item) for _ in range(self.random.randint(1, 3))}
        many = self.random.random() < 0.02
        pairs, new, code = [], {}, None
        for sku in sorted(chosen):
            known = product["skus"].get(sku) if product else None
            number = self.random.choice([-9, -1, 3, 40] if relative else [0, 5, 80, 300, -1])
            pairs.append(f"{known['code'] if by_code and known else sku}:{number}")
            if number < 0 and not relative:
                code = f"isv.invalid-parameter:{name}"
        if many:
            pairs += [f"{at}:1" for at in range(21)]
            code = f"isv.invalid-parameter:{name}"
        if code is None and product is None:
            code = NO_ITEM
        if code is None and (len(product["skus"]) < 2 or not chosen <= set(product["skus"])):
            code = f"isv.invalid-parameter:{name}"
        if code is None:
            for sku, pair in zip(sorted(chosen), pairs):
                new[sku] = self.changed(product["skus"][sku], int(pair.rsplit(":", 1)[1]), relative)
            code = REJECTED if None in new.values() else None
        args = {"num_iid": str(item), name: ";".join(pairs), "type": "2" if relative else "1"}
        answer = self.call("taobao.skus.quantity.update", args)
        self.expect("SKUs", answer, code)
        if code is None:
            for sku, stock in new.items():
                product["skus"][sku]["stock"] = stock
            self.same("num", answer["item"]["num"], sum(sku["stock"] for sku in product["skus"].values()))
            told = {row["sku_id"]: row["quantity"] for row in answer["item"]["skus"]}
            self.same("quantities", told, new)

    def item(self):
        item = self.some_product()
        product = self.alive(item)
        relative = self.random.random() < 0.5
        number = self.random.choice([-20, -2, 1, 30])
        args = {"num_iid": str(item), "quantity": str(number), "type": "2" if relative else "1"}
        sku, named = self.some_sku(item), self.random.random() < 0.7
        if named:
            args["sku_id"] = str(sku)
        single = product is not None and len(product["skus"]) == 1
        code = None
        if number < 0 and not relative:
            code = "isv.invalid-parameter:quantity"
        elif product is None:
            code = NO_ITEM
        elif named and (single or sku not in product["skus"]):
            code = "isv.invalid-parameter:sku_id"
        elif not named and not single:
            code = "isv.missing-parameter:sku_id"
        if code is None:
            known = product["skus"][next(iter(product["skus"])) if single else sku]
            new = self.changed(known, number, relative)
            code = REJECTED if new is None else None
        self.expect("item", self.call("taobao.item.quantity.update", args), code)
        if code is None:
            known["stock"] = new

    def prices(self):
        item = self.some_product()
        product = self.alive(item)
        rows, new, code, args = [], {}, None, {"item_id": str(item)}
        single = product is not None and len(product["skus"]) == 1
        in_item, in_skus = "isv.invalid-parameter:item_price", "isv.invalid-parameter:sku_prices"
        wanted = None
        if self.random.random() < 0.4:
            args["item_price"], wanted = self.price()
        if "item_price" not in args or self.random.random() < 0.5:
            for sku in sorted({self.some_sku(item) for _ in range(self.random.randint(1, 3))}):
                text, price = self.price()
                rows.append({"sku_id": sku, "price": text})
                bad = single or product is None or sku not in product["skus"] or not isinstance(price, Decimal)
                code = code or (in_skus if bad else None)
                new[sku] = price
            args["sku_prices"] = json.dumps(rows)
        if product is None:
            code = NO_ITEM
        if "item_price" in args:
            if not isinstance(wanted, Decimal):
                code = in_item
            elif code is None and single:
                new[next(iter(product["skus"]))] = wanted
            elif code is None:
                after = [new.get(sku, known["price"]) for sku, known in product["skus"].items()]
                code = None if min(after) <= wanted <= max(after) else in_item
        self.expect("prices", self.call("tmall.item.price.update", args), code)
        if code is None:
            for sku, price in new.items():
                product["skus"][sku]["price"] = price

    # States.

    def list(self):
        item = self.some_product()
        product = self.alive(item)
        num = self.random.choice([0, 2, 90, 500])
        code = None
        if num == 0:
            code = "isv.invalid-parameter:num"
        elif product is None:
            code = NO_ITEM
        elif product["status"] == "rejected":
            code = "isv.item-listing-service-rejection"
        elif len(product["skus"]) == 1:
            code = REJECTED if num < next(iter(product["skus"].values()))["reserved"] else None
        elif sum(sku["stock"] for sku in product["skus"].values()) == 0:
            code = REJECTED
        self.expect("list", self.call("taobao.item.update.listing", {"num_iid": str(item), "num": str(num)}), code)
        if code is None:
            product["status"] = "selling"
            if len(product["skus"]) == 1:
                next(iter(product["skus"].values()))["stock"] = num

    def delist(self):
        item = self.some_product()
        product = self.alive(item)
        code = None if product else NO_ITEM
        self.expect("delist", self.call("taobao.item.update.delisting", {"num_iid": str(item)}), code)
        if product and product["status"] == "selling":
            product["status"] = "offline"

    def remove(self):
        if sum(product["status"] != "deleted" for product in self.products.values()) < 25:
            return
        item = self.some_product()
        product = self.alive(item)
        self.expect("delete", self.call("taobao.item.delete", {"num_iid": str(item)}), None if product else NO_ITEM)
        if product:
            product["status"] = "deleted"

    # Trades.

    def send(self):
        order = 5 if self.random.random() < 0.03 else self.some_order()
        way = self.random.choice(["offline", "offline", "online", "online", "dummy"])
        self.numbers += 1
        args = {"tid": str(order)}
        if way != "dummy":
            args["company_code"] = "YTO"
        later = way == "online" and self.random.random() < 0.6
        if way != "dummy" and not later:
            args["out_sid"] = f"YT{self.numbers}00"
        known = self.orders.get(order)
        lines = unsent(known["lines"]) if known else None
        code = "isv.logistics-send-service-rejection"
        if known is None:
            code = "isv.trade-not-exist"
        elif way != "dummy" and self.random.random() < 0.4:
            own = list(known["lines"])
            lines = self.random.sample(own, self.random.randint(1, len(own)))
            args.update(is_split="1", sub_tid=",".join(map(str, lines)))
            if not all(known["lines"][line]["state"] in ("to-ship", "packed", "ready") for line in lines):
                lines = None
        if lines and later and any(known["lines"][line]["state"] != "to-ship" for line in lines):
            lines = None
        answer = self.call(f"taobao.logistics.{way}.send", args)
        self.expect(f"{way} send", answer, None if lines else code)
        if lines:
            self.move(order, lines, "packed" if later else "shipped")

    def confirm(self):
        order = self.some_order()
        lines = [line for line, one in self.orders[order]["lines"].items() if one["state"] in ("packed", "ready")]
        self.numbers += 1
        args = {"tid": str(order), "out_sid": f"YT{self.numbers}00"}
        code = None if lines else "isv.logistics-send-service-rejection"
        self.expect("confirm", self.call("taobao.logistics.online.confirm", args), code)
        if lines:
            self.move(order, lines, "shipped")

    @staticmethod
    def line_word(order, line):
        fixed = {"unpaid": "WAIT_BUYER_PAY", "delivered": "TRADE_BUYER_SIGNED", "done": "TRADE_FINISHED", "returned": "TRADE_CLOSED"}
        if line["state"] in fixed:
            return fixed[line["state"]]
        if line["state"] == "cancelled":
            return "TRADE_CLOSED" if order["paid"] else "TRADE_CLOSED_BY_TAOBAO"
        if has_left(line):
            return "WAIT_BUYER_CONFIRM_GOODS"
        return "WAIT_SELLER_SEND_GOODS" if order["paid"] else "WAIT_BUYER_PAY"

    def word(self, order):
        lines = list(order["lines"].values())
        still = [line for line in lines if line["state"] not in CLOSED]
        if not still:
            return self.line_word(order, lines[0])
        least = min((self.line_word(order, line) for line in still), key=RANK.index)
        part = least == "WAIT_SELLER_SEND_GOODS" and any(has_left(line) for line in still)
        return "SELLER_CONSIGNED_PART" if part else least

    # Reading back.

    def pages(self, api, args, items, size):
        rows, page = [], 1
        while True:
            reply = self.shop.top(api, {**args, "page_no": str(page), "page_size": str(size)})
            rows += reply[items]
            page += 1
            if len(rows) >= reply["total_results"] or not reply[items]:
                return rows

    def compare(self):
        alive = {item: product for item, product in self.products.items() if product["status"] != "deleted"}
        for api, wanted in (("onsale", {"selling"}), ("inventory", {"offline", "under-review", "rejected"})):
            rows = self.pages(f"taobao.items.{api}.get", {"fields": "num_iid"}, "items", 200)
            expected = {item for item, product in alive.items() if product["status"] in wanted}
            self.same(api, {row["num_iid"] for row in rows}, expected)
        items = list(alive)
        for at in range(0, len(items), 20):
            fields = "num_iid,num,price,outer_id,with_hold_quantity,skus"
            ids = ",".join(map(str, items[at:at + 20]))
            reply = self.shop.top("taobao.items.seller.list.get", {"fields": fields, "num_iids": ids})
            for row in reply["items"]:
                skus = alive[row["num_iid"]]["skus"]
                self.same(f"num of {row['num_iid']}", row["num"], sum(sku["stock"] for sku in skus.values()))
                if len(skus) == 1:
                    only = next(iter(skus.values()))
                    seen = (row["outer_id"], row["price"], row["with_hold_quantity"], row["skus"])
                    self.same(f"item {row['num_iid']}", seen, (only["code"], f"{only['price']:.2f}", only["reserved"], []))
                    continue
                seen = {
                    sku["sku_id"]: (sku["outer_id"], sku["quantity"], sku["with_hold_quantity"], sku["price"])
                    for sku in row["skus"]
                }
                expected = {
                    sku: (known["code"], known["stock"], known["reserved"], f"{known['price']:.2f}")
                    for sku, known in skus.items()
                }
                self.same(f"SKUs of {row['num_iid']}", seen, expected)
        for row in self.pages("taobao.trades.sold.get", {"fields": "tid,status,orders"}, "trades", 100):
            known = self.orders[row["tid"]]
            seen = (row["status"], {line["oid"]: line["status"] for line in row["orders"]})
            lines = {line: self.line_word(known, one) for line, one in known["lines"].items()}
            self.same(f"trade {row['tid']}", seen, (self.word(known), lines))
