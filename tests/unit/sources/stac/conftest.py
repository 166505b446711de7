"""Fixtures of the tests of STAC."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyveg.core.types import Item
from pyveg.earth.source import Request, Scene
from pyveg.earth.types import Collection, DateRange, Place
from pyveg.sources.stac.settings import StacSettings
from pyveg.sources.stac.source import StacSource
from pyveg.testing.stac_world import BANDS, StacWorld

PLACE = Place(27.95, 11.57, 0.004)
COLLECTION = Collection("S2", "S2", "vegetation", "stac")


@pytest.fixture
def world(tmp_path: Path) -> StacWorld:
    """An empty world around a small place."""
    return StacWorld(tmp_path / "world", PLACE)


class Asker:
    """Asks a Source for months, with few words."""

    def __init__(self, catalogue: str, **settings: Any) -> None:
        where = {"path": catalogue} if catalogue.startswith("/") else {"catalogue": catalogue}
        given = {"stac_collection": "sentinel-2-l2a", "cache": "none", "retry_wait": 0.01}
        self.source = StacSource(StacSettings(**{**where, **given, **settings}))

    def month(self, month: str, **changes: Any) -> Scene:
        """The composite of a month, ``YYYY-MM``."""
        return self.source.fetch(self._request(month, **changes))

    def fingerprint(self, month: str) -> str:
        """What the answer depends on."""
        return self.source.fingerprint(self._request(month))

    def _request(self, month: str, **changes: Any) -> Request:
        bands = changes.pop("bands", BANDS)
        request = {
            "place": PLACE,
            "collection": COLLECTION,
            "item": self.item(month),
            "bands": {band: band for band in bands},
            **changes,
        }
        return Request(**request)

    def item(self, month: str) -> Item:
        """The Item of a month."""
        start = date.fromisoformat(f"{month}-01")
        end = date(start.year + start.month // 12, start.month % 12 + 1, 1)
        (item,) = self.source.items(COLLECTION, PLACE, DateRange(start, end))
        return item


@pytest.fixture
def asker() -> type[Asker]:
    """Makes somebody who asks a catalogue."""
    return Asker


@pytest.fixture
def decode() -> Callable[[Scene], dict[str, np.ndarray]]:
    """Reflectance of a scene by band; NaN where it is 0."""

    def decoded(scene: Scene) -> dict[str, np.ndarray]:
        arrays = {name: raster.array for name, raster in scene.rasters.items()}
        return {name: np.where(a == 0, np.nan, a / 1e4) for name, a in arrays.items()}

    return decoded
