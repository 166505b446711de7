"""Stations of a service in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pyveg.core import registry
from pyveg.service.desk import Desk
from pyveg.service.records import Caller
from pyveg.service.stations import desk as stations
from pyveg.service.web.app import create_app
from pyveg.testing.asgi import AppClient
from pyveg.testing.station_node import FakeScorer, Node, mask


@pytest.fixture
def make_node(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Node]:
    """Makes a service with the scorer ``fake``, and a node."""
    original = registry.scorer_class

    def scorer_class(name: str, where: str = "") -> Any:
        return FakeScorer if name == "fake" else original(name, where)

    monkeypatch.setattr(registry, "scorer_class", scorer_class)

    def make(**given: Any) -> Node:
        desk = make_desk(
            station_scorers={"people": {"scorer": "fake", "model": "away.txt"}}, **given
        )
        stations.prepare(desk.config)
        desk.health.beat()
        return Node(
            AppClient(create_app(desk), desk.callers.add(Caller("kim"))), desk.config.folder
        )

    return make


@pytest.fixture
def node(make_node: Callable[..., Node]) -> Node:
    """A station that keeps people, and its mask."""
    made = make_node()
    assert made.put(people="keep").status == 201
    assert made.put_mask(mask()).status == 204
    return made
