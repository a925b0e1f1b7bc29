"""Alibaba.com: what the documents say that calls do, in a model of its own."""

import datetime
import json
from decimal import Decimal

import lazada
from run import Wrong

STATUS = {"selling": ("approved", "Y"), "offline": ("approved", "N"), "under-review": (None, "N"), "rejected": ("tbd", "N")}
WORDS = {
    "unpaid": "unpay", "to-ship": "undeliver", "packed": "delivering", "ready": "delivering",
    "shipped": "wait_confirm_receipt", "delivered": "wait_confirm_receipt", "done": "trade_success",
    "returned": "trade_close", "cancelled": "trade_close", "cancelling": "frozen", "returning": "frozen",
    "frozen": "frozen", "failed": "frozen", "lost": "frozen",
}
# The order of a line's states: the earliest is that of the order.
ORDER = [
    "unpaid", "to-ship", "packed", "ready", "shipped", "delivered", "done", "cancelling", "returning", "returned",
    "failed", "lost", "frozen", "cancelled",
]
PACIFIC = datetime.timezone(datetime.timedelta(hours=-8))


class Model(lazada.Model):
    BY_PIECE = False

    def write(self):
        kinds = [
            (self.set_stock, 22), (self.add_stock, 20), (self.set_prices, 16), (self.show, 10), (self.delete, 1),
            (self.buy, 14), (self.by_hand, 14), (self.cancel, 5), (self.ship, 6),
        ]
        self.random.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])[0]()

    def told(self, what, answer, code):
        """Compares the outcome under `result`; returns whether it was done."""
        result = answer.get("result", {})
        seen = "done" if result.get("success") is True else result.get("msg_code")
        self.counts[f"{what} {'done' if code is None else 'refused'}"] += 1
        if seen != (code or "done"):
            raise Wrong(f"{what}: expected {code or 'done'}, got {answer}")
        return code is None

    def touch(self, item):
        self.products[item]["changed"] = self.shop.milliseconds() // 1000 * 1000

    def rows(self, make):
        """Returns a product and some rows, with the first code that they deserve."""
        item = self.some_product()
        product = self.alive(item)
        code, rows, copies = None if product else "B_PRODUCT_NOT_FOUND", [], {}
        for _ in range(self.random.randint(1, 3)):
            sku = self.some_sku(item)
            row = {"sku_id": sku}
            copy = copies.get(sku) or dict(product["skus"].get(sku, {}) if product else {})
            wrong = make(row, copy, sku in copies)
            known = product is not None and sku in product["skus"]
            code = code or ("B_PRODUCT_PARAM_INVALID" if not known else wrong)
            if known:
                copies[sku] = copy
            rows.append(row)
        return item, rows, copies, code

    def done(self, item, copies):
        self.products[item]["skus"].update(copies)
        self.touch(item)

    def set_stock(self):
        def make(row, sku, twice):
            row["inventory"] = self.random.choice([0, 1, 5, 60, 700, 2**32])
            sku["stock"] = sku.get("reserved", 0) + row["inventory"]
            if twice:
                return "B_PRODUCT_PARAM_INVALID"
            return "600003" if row["inventory"] == 2**32 else None

        item, rows, copies, code = self.rows(make)
        args = {"product_id": str(item), "sku_inventory": json.dumps(rows)}
        if self.random.random() < 0.05:
            args["inventory"], code = "5", "B_INVENTORY_CONFLICT"
        elif self.random.random() < 0.03:
            args, code = {"product_id": str(item)}, "B_INVENTORY_ALL_NULL"
        if self.told("edit-inventory", self.call("/icbu/product/edit-inventory", args), code):
            self.done(item, copies)

    def add_stock(self):
        def make(row, sku, _):
            size, plus = self.random.choice([0, 1, 4, 50]), self.random.random() < 0.5
            store = "US" if self.random.random() < 0.03 else "CN"
            row.update(inventory=size, operate="plus" if plus else "sub", inventory_code=store)
            if store != "CN":
                return "B_PRODUCT_PARAM_INVALID"
            sku["stock"] = sku.get("stock", 0) + (size if plus else -size)
            return "600003" if sku["stock"] < sku.get("reserved", 0) else None

        item, rows, copies, code = self.rows(make)
        args = {"product_id": str(item), "inventory_list": json.dumps(rows)}
        if self.told("inventory update", self.call("/icbu/product/inventory/update", args), code):
            self.done(item, copies)

    def set_prices(self):
        def make(row, sku, twice):
            row["price"], value = self.price()
            if twice:
                return "B_PRODUCT_PARAM_INVALID"
            if value is None:
                return "B_PRICE_SCALE_INVALID"
            if value == "zero":
                return "PUB_BIZCHECK_SKU_PRICE"
            sku["price"] = value
            return None

        item, rows, copies, code = self.rows(make)
        product = self.alive(item)
        if product is not None and product["status"] == "under-review":
            code = "PUB_BIZCHECK_PRODUCT_IN_AUDITING"
        args = {"product_id": str(item), "sku_price": json.dumps(rows)}
        if self.told("edit-price", self.call("/icbu/product/edit-price", args), code):
            self.done(item, copies)

    def show(self):
        online, by_batch = self.random.random() < 0.7, self.random.random() < 0.5
        items = list({self.some_product() for _ in range(self.random.randint(1, 4))})
        failed, changed = {}, []
        for item in items:
            product = self.alive(item)
            if product is None:
                failed[item] = "B_PRODUCT_NOT_FOUND"
            elif product["status"] in ("under-review", "rejected"):
                review = product["status"] == "under-review"
                failed[item] = "PUB_BIZCHECK_PRODUCT_IN_AUDITING" if review else "PUB_BIZCHECK_PRODUCT_STATUS_INVALID"
            elif (product["status"] == "selling") != online:
                product["status"] = "selling" if online else "offline"
                changed.append(item)
        ids = json.dumps(items)
        if by_batch:
            args = {"product_id_list": ids, "action": "online" if online else "offline"}
            answer = self.call("/alibaba/icbu/product/batch/update/status", args)
            seen = {row["product_id"]: row["msg_code"] for row in answer["errors"]}
            self.same("errors", seen, failed)
            self.same("updated", answer["updated_product_ids"], [item for item in items if item not in failed])
            self.same("success", answer["success"], len(failed) < len(items))
        else:
            args = {"product_id_list": ids, "new_display": "on" if online else "off"}
            result = self.call("/icbu/product/update/display", args)["result"]
            self.same("failed", set(result["fail_id_map"]), {str(item) for item in failed})
            first = next(iter(failed.values()), None) if len(failed) == len(items) else None
            self.same("error", result["error_code"], first)
        for item in changed:
            self.touch(item)
        self.counts["shown or hidden"] += len(items) - len(failed)

    def delete(self):
        item = self.some_product()
        product = self.alive(item)
        if product and sum(product["status"] != "deleted" for product in self.products.values()) < 20:
            return
        answer = self.call("/alibaba/icbu/product/delete", {"product_id_list": json.dumps([item])})
        self.same("deleted", answer["deleted_product_ids"], [item] if product else [])
        if product:
            product["status"] = "deleted"
            self.counts["deleted"] += 1

    # Orders.

    def state(self, order):
        return min((line["state"] for line in self.orders[order]["lines"].values()), key=ORDER.index)

    def cancel(self):
        order = self.some_order()
        good = self.state(order) == "unpaid"
        answer = self.call("/alibaba/order/cancel", {"trade_id": str(order)})
        self.expect("cancel", answer, "0" if good else "ORDER_STATUS_ERROR")
        if good:
            lines = self.orders[order]["lines"]
            self.move(order, [line for line in lines if lines[line]["state"] != "cancelled"], "cancelled")

    def ship(self):
        order = 5 if self.random.random() < 0.05 else self.some_order()
        request = {
            "service_provider": "FEDEX", "logistics_type": "EXPRESS", "tracking_number": f"TN{order}",
            "trade_id": str(order),
        }
        lines = self.orders.get(order, {"lines": {}})["lines"]
        open_lines = [line for line in lines if lines[line]["state"] != "cancelled"]
        good = bool(open_lines) and all(lines[line]["state"] in ("to-ship", "packed", "ready") for line in open_lines)
        answer = self.call("/alibaba/v2/order/shipping", {"shipping_request": json.dumps(request)})
        code = "ORDER_NOT_EXIST" if order == 5 else "0" if good else "ORDER_STATUS_ERROR"
        self.expect("ship", answer, code)
        if good:
            self.move(order, open_lines, "shipped")
            tracked = self.call("/order/logistics/tracking/get", {"trade_id": str(order)})["tracking_list"]
            self.same("parcels", f"TN{order}" in {parcel["tracking_number"] for parcel in tracked}, True)

    # Reading back.

    def compare(self):
        read, times, page = {}, [], 1
        while True:
            args = {"current_page": str(page), "page_size": "30"}
            result = self.shop.iop("/alibaba/icbu/product/list", args)["result"]
            read.update((row["id"], row) for row in result["products"])
            times += [row["gmt_modified"] for row in result["products"]]
            page += 1
            if len(read) >= result["total_item"] or not result["products"]:
                break
        self.same("order of the list", times, sorted(times, reverse=True))
        alive = {item: product for item, product in self.products.items() if product["status"] != "deleted"}
        self.same("products", set(read), set(alive))
        for item, product in alive.items():
            word, display = STATUS[product["status"]]
            row = read[item]
            seen = (row["status"] if word else None, row["display"], row["subject"])
            self.same(f"product {item}", seen, (word, display, product["title"]))
            if product["changed"] is None:
                continue
            changed = datetime.datetime.fromtimestamp(product["changed"] / 1000, PACIFIC)
            self.same(f"time of {item}", row["gmt_modified"], changed.strftime("%Y-%m-%d %H:%M:%S"))
            request = {"product_get_request": json.dumps({"productId": item})}
            skus = self.shop.iop("/icbu/product/get", request)["result"]["product_sku"]["skus"]
            seen = {
                sku["sku_id"]: (
                    sku["sku_code"], sku["inventory_dto_list"][0]["inventory"],
                    Decimal(sku["bulk_discount_prices"][0]["price"]),
                )
                for sku in skus
            }
            expected = {
                sku: (known["code"], known["stock"] - known["reserved"], known["price"])
                for sku, known in product["skus"].items()
            }
            self.same(f"SKUs of {item}", seen, expected)
        read, page = {}, 0
        while True:
            args = {"role": "seller", "start_page": str(page), "page_size": "100"}
            value = self.shop.iop("/alibaba/order/list", args)["value"]
            read.update((int(row["trade_id"]), row["trade_status"]) for row in value["order_list"])
            page += 1
            if not value["order_list"]:
                break
        expected = {order: known["word"] or WORDS[self.state(order)] for order, known in self.orders.items()}
        self.same("orders", read, expected)
