"""A service in a folder, without a server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pyveg.service import keys, table
from pyveg.service.config import ServiceConfig, settled
from pyveg.service.desk import Desk
from pyveg.service.records import Caller
from pyveg.testing.service_server import STEPS


@pytest.fixture
def make_desk(tmp_path: Path) -> Callable[..., Desk]:
    """Makes the desk of a service whose process `steps` takes as long as it is told."""

    def make(**given: Any) -> Desk:
        (tmp_path / "steps.py").write_text(STEPS)
        config = settled(ServiceConfig(**{"processes": ("steps.py",), **given}), tmp_path)
        table.make(config.table_path)
        keys.make(config.folder)
        return Desk(config)

    return make


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """One with all defaults."""
    return make_desk()


@pytest.fixture
def kim(desk: Desk) -> Caller:
    """Somebody who may submit jobs."""
    desk.callers.add(Caller("kim"))
    return Caller("kim")
