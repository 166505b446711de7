"""A table of prices that the user writes, and what something costs by it. Nothing is fetched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pyveg.core import params
from pyveg.core.errors import ConfigError
from pyveg.core.nodes import LOCAL, NodeUse
from pyveg.core.params import setting
from pyveg.core.texts import brief
from pyveg.core.transfers import Transfers

_GB = 1e9
NOTHING = Transfers()


@dataclass(frozen=True, kw_only=True)
class Prices:
    """What the user pays. A price that is not given is unknown, never nothing."""

    currency: str = setting("", doc="name of the currency, for people")
    node_hour: dict[str, Any] = setting(
        {}, doc='size -> price of a node in an hour; "SIZE spot" for Spot nodes'
    )
    gb_out: float | None = setting(None, doc="price of 10**9 bytes out of the storage", low=0)
    requests_10000: float | None = setting(None, doc="price of 10,000 requests", low=0)


@dataclass(frozen=True)
class Cost:
    """What something costs, as far as prices are known."""

    amount: float
    """Of what has a price."""
    currency: str = ""
    unknown: tuple[str, ...] = ()
    """What has none."""

    @property
    def known(self) -> float | None:
        """The amount; None where a price of nodes is missing, so that it would say too little."""
        return None if any(name.startswith("a node") for name in self.unknown) else self.amount

    def __str__(self) -> str:
        if self.known is None and not self.amount:
            return f"not known: there is no price of {_joined(self.unknown)}"
        rest = f", without {_joined(self.unknown)} (no price)" if self.unknown else ""
        return f"{self.amount:.{_places(self.amount)}f} {self.currency}".rstrip() + rest


def _joined(names: Iterable[str]) -> str:
    return ", ".join(names)


def _places(amount: float) -> int:
    """Digits behind the point: small sums are not shown as nothing."""
    return 2 if amount == 0 or amount >= 0.1 else 4


def build(given: Mapping[str, Any], where: str = "prices") -> Prices:
    """A table of prices from plain data.

    Parameters
    ----------
    given : mapping
    where : str
        Begins the messages of errors.

    Raises
    ------
    ConfigError
        If something of it is unknown or no price.
    """
    prices = params.build(Prices, given, where)
    for size, price in prices.node_hour.items():
        if isinstance(price, bool) or not isinstance(price, int | float) or not 0 <= price < 1e9:
            raise ConfigError(
                f'{where}: node_hour["{size}"] = {brief(price)} is no price',
                "write a number of your currency",
            )
    return prices


def cost(prices: Prices, nodes: Iterable[NodeUse], transfers: Transfers = NOTHING) -> Cost:
    """What nodes and transfers cost. This machine costs nothing unless it has a price.

    Examples
    --------
    >>> table = build({"currency": "EUR", "node_hour": {"D2": 0.1}})
    >>> print(cost(table, [NodeUse("D2", seconds=7200)]))
    0.20 EUR
    >>> print(cost(table, [NodeUse("D2", seconds=7200)], Transfers(storage_requests=9)))
    0.20 EUR, without requests to the storage (no price)
    >>> print(cost(table, [NodeUse("D4", seconds=7200)]))
    not known: there is no price of a node of D4
    """
    amount, unknown = 0.0, dict[str, None]()
    for use in nodes:
        price = prices.node_hour.get(use.kind, use.price)
        if price is None and use.size == LOCAL:
            continue
        if price is not None:
            amount += use.hours * price
        elif use.seconds:
            unknown[f"a node of {use.kind}"] = None
    for what, number, price in (
        ("requests to the storage", transfers.storage_requests / 10_000, prices.requests_10000),
        ("bytes out of it", transfers.storage_received / _GB, prices.gb_out),
    ):
        if price is not None:
            amount += number * price
        elif number:
            unknown[what] = None
    return Cost(amount, prices.currency, tuple(unknown))
