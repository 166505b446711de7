"""Limits, prices and messages of a run: from a config and a command line to the Pipeline."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from pyveg.core import params, prices
from pyveg.core.errors import ConfigError
from pyveg.core.limits import Limits
from pyveg.core.nodes import Capacity, NodeUse
from pyveg.core.pipeline import Pipeline
from pyveg.core.reading import read_text
from pyveg.core.texts import said
from pyveg.jobs import messages

LIMITS = tuple(spec.name for spec in fields(Limits))
NAMES = (*LIMITS, "prices", "webhook")
"""Settings at the top of a config that say how a run is kept in bounds and told of."""


def settled(given: Mapping[str, Any], where: str = "config") -> dict[str, dict[str, Any]]:
    """Fields of a Pipeline from settings at the top of a config; only those that were given.

    Parameters
    ----------
    given : mapping
        Name of a setting -> its value; None is as if it were left out.
    where : str
        Begins the messages of errors.

    Raises
    ------
    ConfigError

    Examples
    --------
    >>> settled({"max_hours": 2.0, "webhook": "slack"})["limits"]
    {'max_hours': 2.0}
    """
    said_of = {name: given[name] for name in NAMES if given.get(name) is not None}
    limits = {name: said_of[name] for name in LIMITS if name in said_of}
    params.build(Limits, limits, where)
    found: dict[str, dict[str, Any]] = {"limits": limits} if limits else {}
    if "prices" in said_of:
        found["prices"] = _prices(said_of["prices"], where)
    if "webhook" in said_of:
        kept = messages.settings_of(said_of["webhook"], f"{where}: webhook")
        found["webhook"] = {} if kept is None else params.plain(vars(kept))
    return found


def replaced(pipeline: Pipeline, given: Mapping[str, Any], where: str) -> Pipeline:
    """The same with limits, prices and messages that go before those of its config.

    Raises
    ------
    ConfigError
        If one is wrong, or a cost is limited and nothing has a price.
    """
    found = settled(given, where)
    limits = {**pipeline.limits, **found.get("limits", {})}
    made = replace(
        pipeline,
        limits=limits,
        prices=found.get("prices", pipeline.prices),
        webhook=found.get("webhook", pipeline.webhook),
    )
    if limits.get("max_cost") is not None and not made.prices:
        raise ConfigError(
            f"{where}: max_cost limits nothing, as nothing has a price",
            "give prices too (docs/costs.md)",
        )
    return made


def unpriced(pipeline: Pipeline, capacities: Iterable[Capacity]) -> list[str]:
    """What the user should know of a limit that cannot be kept."""
    if pipeline.limits.get("max_cost") is None:
        return []
    nodes = [use for capacity in capacities for use, count in capacity.nodes if count]
    second = [NodeUse(use.size, use.spot, 1.0, use.price) for use in nodes]
    missing = prices.cost(prices.build(pipeline.prices), second).unknown
    return [f"max_cost limits nothing: there is no price of {name}" for name in missing]


def _prices(given: str | Mapping[str, Any], where: str) -> dict[str, Any]:
    """A table of prices, given as such or as the JSON file that has it."""
    if isinstance(given, Mapping):
        table, named = dict(given), f"{where}: prices"
    else:
        table, named = _read(given), given
    prices.build(table, named)
    return table


def _read(file: str) -> dict[str, Any]:
    try:
        table = json.loads(read_text(Path(file).expanduser()))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"{file} is no table of prices: {said(error)}", "see docs/costs.md for an example"
        ) from None
    if not isinstance(table, dict):
        raise ConfigError(f"{file} is no table of prices", "see docs/costs.md for an example")
    return table
