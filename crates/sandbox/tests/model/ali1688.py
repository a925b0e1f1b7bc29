"""1688: what the documents say that calls do, in a model of its own."""

import datetime
import json
from decimal import Decimal

import icbu

STATUS = {"selling": "published", "offline": "member expired", "under-review": "auditing", "rejected": "untread"}
WORDS = {
    "unpaid": "waitbuyerpay", "to-ship": "waitsellersend", "packed": "waitsellersend", "ready": "waitsellersend",
    "cancelling": "waitsellersend", "frozen": "waitsellersend", "shipped": "waitbuyerreceive",
    "failed": "waitbuyerreceive", "lost": "waitbuyerreceive", "delivered": "confirm_goods",
    "returning": "confirm_goods", "done": "success", "returned": "terminated", "cancelled": "cancel",
}
REFUNDS = {"cancelling": "waitselleragree", "returning": "waitselleragree", "returned": "refundsuccess"}
BEIJING = datetime.timezone(datetime.timedelta(hours=8))


class Model(icbu.Model):
    def log_in(self, secret):
        self.shop.log_in_param2(secret)

    def write(self):
        kinds = [
            (self.modify_stock, 45), (self.show, 15), (self.delete, 1), (self.buy, 16), (self.by_hand, 16),
            (self.cancel, 7),
        ]
        self.random.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])[0]()

    def call(self, api, args):
        self.last = (api, args)
        return self.shop.param2(api, args)

    def rows_told(self, what, answer, codes):
        """Compares the rows of a batch; None is done."""
        seen = [None if row["result"] else row["code"] for row in answer["result"]]
        self.same(what, seen, codes)
        for code in codes:
            self.counts[f"{what} {'refused' if code else 'done'}"] += 1

    def change(self, absolute):
        """Returns the change of a product, its code, and its SKUs afterwards."""
        item = self.some_product()
        product = self.alive(item)
        entry, code, copies, total = {"productId": item}, None if product else "PRODUCT_NOT_EXIST", {}, 0
        amounts = [0, 1, 30, -4] if absolute else [-40, -3, -1, 0, 2, 60]
        if self.random.random() < 0.1:
            entry["productAmountChange"] = change = self.random.choice(amounts)
            if code is None and len(product["skus"]) > 1:
                code = "PARAM_ERROR"
            if code is None:
                (sku, known), = product["skus"].items()
                code = self.set(known := dict(known), change, absolute)
                copies[sku] = known
            return entry, code, copies
        entry["skuStocks"] = []
        for _ in range(self.random.randint(1, 3)):
            sku, change = self.some_sku(item), self.random.choice(amounts)
            entry["skuStocks"].append({"skuId": str(sku), "stockChange": change})
            if code is None and sku not in product["skus"]:
                code = "SKU_NOT_EXIST"
            if code is None:
                copies.setdefault(sku, dict(product["skus"][sku]))
                code = self.set(copies[sku], change, absolute)
            total += change
        if self.random.random() < 0.2:
            wrong = self.random.random() < 0.3
            entry["productAmountChange"] = total + wrong
            if wrong and total + wrong:
                code = code or "PARAM_ERROR"
        return entry, code, copies

    @staticmethod
    def set(sku, change, absolute):
        if absolute:
            if change < 0:
                return "PARAM_ERROR"
            sku["stock"] = sku["reserved"] + change
        else:
            if sku["stock"] + change < sku["reserved"]:
                return "STOCK_NOT_ENOUGH"
            sku["stock"] += change
        return None

    def modify_stock(self):
        absolute = self.random.random() < 0.2
        entries, codes = [], []
        for _ in range(self.random.randint(1, 4)):
            entry, code, copies = self.change(absolute)
            if code is None:
                self.done(entry["productId"], copies)
            entries.append(entry)
            codes.append(code)
        args = {"productStockChange": json.dumps(entries), "webSite": "1688"}
        if absolute:
            args["increaceModify"] = "false"
        answer = self.call("com.alibaba.product/alibaba.product.modifyStock", args)
        self.rows_told("modifyStock", answer, codes)

    def show(self):
        name, wanted = self.random.choice([("repost", "selling"), ("repost", "selling"), ("expire", "offline")])
        items, codes = [self.some_product() for _ in range(self.random.randint(1, 4))], []
        for item in items:
            product = self.alive(item)
            if product is None:
                codes.append("PRODUCT_NOT_EXIST")
            elif product["status"] in ("under-review", "rejected"):
                codes.append("PRODUCT_STATUS_ERROR")
            else:
                codes.append(None)
                if product["status"] != wanted:
                    product["status"] = wanted
                    self.touch(item)
        args = {"productIds": json.dumps(items), "webSite": "1688"}
        self.rows_told(name, self.call(f"com.alibaba.product/alibaba.product.{name}", args), codes)

    def delete(self):
        item = self.some_product()
        product = self.alive(item)
        if product and sum(product["status"] != "deleted" for product in self.products.values()) < 20:
            return
        args = {"productID": str(item), "webSite": "1688"}
        answer = self.call("com.alibaba.product/alibaba.product.delete", args)
        self.same("deleted", answer["isSuccess"], product is not None)
        if product:
            product["status"] = "deleted"
            self.counts["deleted"] += 1

    def cancel(self):
        order = 5 if self.random.random() < 0.1 else self.some_order()
        good = order != 5 and self.state(order) == "unpaid"
        args = {"tradeID": str(order), "webSite": "1688", "cancelReason": "other"}
        answer = self.call("com.alibaba.trade/alibaba.trade.cancel", args)
        code = "" if good else "ORDER_NOT_EXIST" if order == 5 else "ORDER_STATUS_ERROR"
        self.same("cancel", (answer["success"], answer["errorCode"]), (good, code))
        self.counts[f"cancel {'done' if good else 'refused'}"] += 1
        if good:
            lines = self.orders[order]["lines"]
            self.move(order, [line for line in lines if lines[line]["state"] != "cancelled"], "cancelled")

    # Reading back.

    def compare(self):
        read, page = {}, 1
        while True:
            args = {"pageNo": str(page), "pageSize": "50"}
            answer = self.shop.param2("com.alibaba.product/alibaba.product.list.get", args)
            result = answer["result"]["result"]["pageResult"]
            read.update((row["productID"], row) for row in result["resultList"])
            page += 1
            if not result["resultList"]:
                break
        alive = {item: product for item, product in self.products.items() if product["status"] != "deleted"}
        self.same("products", set(read), set(alive))
        times = []
        for item, row in read.items():
            product = alive[item]
            self.same(f"product {item}", (row["status"], row["subject"]), (STATUS[product["status"]], product["title"]))
            seen = {
                sku["skuId"]: (sku["cargoNumber"], sku["amountOnSale"], Decimal(sku["price"])) for sku in row["skuInfos"]
            }
            expected = {
                sku: (known["code"], known["stock"] - known["reserved"], known["price"])
                for sku, known in product["skus"].items()
            }
            self.same(f"SKUs of {item}", seen, expected)
            if product["changed"] is not None:
                times.append(product["changed"])
        self.same("order of the list", times, sorted(times, reverse=True))
        if times:
            since = datetime.datetime.fromtimestamp(times[0] / 1000, BEIJING).strftime("%Y%m%d%H%M%S000+0800")
            args = {"startModifyTime": since, "pageSize": "50"}
            answer = self.shop.param2("com.alibaba.product/alibaba.product.list.get", args)
            total = answer["result"]["result"]["pageResult"]["totalRecords"]
            self.same("products since the last change", total, times.count(times[0]))
        read, page = {}, 1
        while True:
            args = {"page": str(page), "pageSize": "50"}
            rows = self.shop.param2("com.alibaba.trade/alibaba.trade.getSellerOrderList", args)["result"]
            read.update((row["baseInfo"]["id"], row) for row in rows)
            page += 1
            if not rows:
                break
        self.same("orders", set(read), set(self.orders))
        for order, known in self.orders.items():
            base, state = read[order]["baseInfo"], self.state(order)
            self.same(f"order {order}", (base["status"], base["refundStatus"]), (WORDS[state], REFUNDS.get(state, "")))
            lines = {item["subItemID"]: (item["status"], item["quantity"]) for item in read[order]["productItems"]}
            expected = {
                line: (WORDS[one["state"]], str(one["quantity"])) for line, one in known["lines"].items()
            }
            self.same(f"lines of {order}", lines, expected)
