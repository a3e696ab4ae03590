"""A mobile shop's simulated phones: sessions, platforms, versions, and each version's own mistakes."""

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

Payload = dict[str, Any]

PRODUCTS = [
    ("P-1001", "Canvas backpack", 59.0),
    ("P-1002", "Enamel mug", 14.5),
    ("P-1003", "Wool blanket", 89.9),
    ("P-1004", "Desk lamp", 45.0),
    ("P-1005", "Linen shirt", 69.0),
    ("P-1006", "Bamboo tray", 24.0),
]
CATEGORIES = ["home", "clothing", "outdoor", "kitchen"]
VERSIONS = {"ios": ["4.1.3", "4.2.0", "4.2.1"], "android": ["4.1.2", "4.2.0", "4.2.1"]}


@dataclass
class Phone:
    """One phone in one session. `random_` makes its choices, so that a seed repeats them."""

    random_: random.Random
    platform: str = ""
    version: str = ""
    device_id: str = ""
    session_id: str = ""
    currency: str = ""
    cart: list[Payload] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.platform = self.random_.choice(list(VERSIONS))
        self.version = self.random_.choice(VERSIONS[self.platform])
        self.device_id = f"{self.platform}-{self.random_.getrandbits(40):010x}"
        self.session_id = f"s-{self.random_.getrandbits(48):012x}"
        self.currency = self.random_.choice(["EUR", "EUR", "USD", "GBP"])

    def session(self) -> Iterator[Payload]:
        """The events of one visit, ready to be sent."""
        for name, payload in self._visit():
            yield {
                "eventName": name,
                "messageId": str(uuid.UUID(int=self.random_.getrandbits(128), version=4)),
                "payload": self._as_this_version_sends(name, payload),
                "eventTime": int(datetime.now(UTC).timestamp() * 1000),
                "sessionId": self.session_id,
                "deviceId": self.device_id,
                "platform": self.platform,
                "appVersion": self.version,
            }

    def _visit(self) -> Iterator[tuple[str, Payload]]:
        source = self.random_.choice(["icon", "icon", "push", "link"])
        yield "app_opened", {"source": source, "is_first_open": self._happens(0.1)}
        if source == "push":
            yield "push_opened", {"campaign": "autumn-sale"}
        if self._happens(0.3):
            yield "user_signed_in", {"method": self.random_.choice(["email", "google", "apple"])}
        for _ in range(self.random_.randint(1, 4)):
            yield from self._browse()
        if self.cart:
            yield from self._buy()

    def _browse(self) -> Iterator[tuple[str, Payload]]:
        if self._happens(0.3):
            yield (
                "product_searched",
                {"query": self.random_.choice(["mug", "lamp", "gift"]), "results_count": 3},
            )
        category = self.random_.choice(CATEGORIES)
        yield (
            "product_list_viewed",
            {"category": category, "product_count": 12, "filters": ["new", "in stock"]},
        )
        product_id, name, price = self.random_.choice(PRODUCTS)
        seen = {"product_id": product_id, "price": price, "currency": self.currency}
        yield "product_viewed", {**seen, "name": name, "in_stock": True}
        if self._happens(0.2):
            yield (
                "wishlist_changed",
                {"product_id": product_id, "action": self.random_.choice(["added", "removed"])},
            )
        if self._happens(0.5):
            self.cart.append(
                {"product_id": product_id, "quantity": self.random_.randint(1, 3), "price": price}
            )
            yield "product_added_to_cart", {**seen, "quantity": self.cart[-1]["quantity"]}
        if self._happens(0.05):
            yield (
                "review_written",
                {"product_id": product_id, "stars": self.random_.randint(1, 5), "text": "Nice!"},
            )

    def _buy(self) -> Iterator[tuple[str, Payload]]:
        total = round(sum(item["price"] * item["quantity"] for item in self.cart), 2)
        bill = {"items": self.cart, "total": total, "currency": self.currency}
        yield "cart_viewed", bill
        if self._happens(0.5):
            return
        if self._happens(0.3):
            yield "coupon_applied", {"code": "AUTUMN", "discount": round(total * 0.1, 2)}
        yield "checkout_started", bill
        day = datetime.now(UTC) + timedelta(days=3)
        yield "shipping_chosen", {"method": "standard", "delivery_date": f"{day:%Y-%m-%d}"}
        yield "payment_chosen", {"method": self.random_.choice(["card", "paypal", "invoice"])}
        order_id = f"O-{self.random_.randint(0, 999_999):06}"
        yield "purchase", {**bill, "order_id": order_id, "purchased_at": datetime.now(UTC).isoformat()}

    def _as_this_version_sends(self, name: str, payload: Payload) -> Payload:
        """Each release has the bug that its testers should find."""
        match self.platform, self.version, name:
            case "android", "4.2.0", "product_viewed":
                return payload | {"price": str(payload["price"])}
            case "ios", "4.2.0", "purchase":
                return {k: v for k, v in payload.items() if k != "currency"}
            case "android", "4.2.1", "shipping_chosen":
                return payload | {"delivery_date": "in three days"}
            case "ios", "4.1.3", "payment_chosen":
                return payload | {"method": "creditcard"}
        if self._happens(0.01):
            return payload | {"debug": True}
        return payload

    def _happens(self, chance: float) -> bool:
        return self.random_.random() < chance
