"""What planning tells the user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from pyveg.core import registry
from pyveg.core.module import Module, Planning, Settings
from pyveg.core.planner import plan
from pyveg.core.sequence import ModuleSpec
from pyveg.core.sequence import Sequence as Steps
from pyveg.core.types import Item, Scope


class Teller(Module[Settings]):
    """Has something to say of what it was asked to do."""

    role = "start"

    def items(self, planning: Planning, settings: Settings) -> Sequence[Item]:
        del settings
        planning.tell("images have no georeferencing")
        planning.tell(f"{planning.scope.sequence} has one date")
        return [Item("2020-01-16")]

    def run(self, job: Any) -> None:
        del job
        raise AssertionError("planning runs nothing")


def test_what_modules_tell_stands_in_the_plan_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "load", lambda *_: Teller)
    spec = ModuleSpec("Teller", Settings())
    sequences = [Steps(Scope(name), (spec,)) for name in ("A", "B")]
    assert plan(sequences, {}, ["the config is old"]).warnings == (
        "the config is old",
        "images have no georeferencing",
        "A has one date",
        "B has one date",
    )
